"""Says the tokens of ids, the orders of completions and the resources, for a test that knows them.

It reads {"ids", "completions"} and prints {"tokens", "orders", "resources"}.
"""

import json
import sys

import wagewire

asked = json.load(sys.stdin)
answer = {
    "tokens": [wagewire.token(id) for id in asked["ids"]],
    "orders": [wagewire.Completion.parse(text.encode()).order for text in asked["completions"]],
    "resources": sorted(wagewire.RESOURCES),
}
print(json.dumps(answer))
