# SPDX-License-Identifier: Apache-2.0
"""How many of B1 to B84 have rows, and what is said of those that have none?"""
import sys

import cli_rows
import http_rows
import table
import tool_rows


def main():
    rows = http_rows.ROWS + http_rows.LAST + tool_rows.ROWS + cli_rows.ROWS
    met = {row.id for row in rows}
    every = [f"B{number}" for number in range(1, 85)]
    missing = [number for number in every if number not in met]
    unsaid = [number for number in missing if number not in table.UNREACHED]
    unknown = sorted((met | set(table.UNREACHED)) - set(every))
    partly = [number for number in every if number in met and number in table.UNREACHED]
    print(f"{len(rows)} rows; of {len(every)} numbers {len(met)} are met, {len(partly)} of them in part; {len(missing)} are not reachable:")
    for number in every:
        if number in table.UNREACHED:
            print(f"  {number}{' in part' if number in met else ''}: {table.UNREACHED[number]}")
    if unsaid or unknown:
        print(f"FAIL without rows and without a reason: {unsaid}; no such number: {unknown}")
        sys.exit(1)


if __name__ == "__main__":
    main()
