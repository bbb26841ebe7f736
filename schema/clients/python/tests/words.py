"""Says the tokens of ids and the orders of completions, for a test that knows them.

It reads {"ids": […], "completions": […]} and prints {"tokens": […], "orders": […]}.
"""

import json
import sys

import wagewire

asked = json.load(sys.stdin)
answer = {
    "tokens": [wagewire.token(id) for id in asked["ids"]],
    "orders": [wagewire.Completion.parse(text.encode()).order for text in asked["completions"]],
}
print(json.dumps(answer))
