"""What each of two processes does: some commands, given as JSON. It writes the state of each run after its command."""

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from ganopt import distributed
from ganopt.cli import parser
from ganopt.errors import exit_on_user_error
from ganopt.training import loop
from ganopt.training.state import State

if __name__ == "__main__":
    states: list[State] = []
    new_state = loop.new_state

    def recorded(*arguments: Any, **options: Any) -> State:
        states.append(new_state(*arguments, **options))
        return states[-1]

    loop.new_state = recorded
    with exit_on_user_error(), parser._joined() as several:
        parser._joined = lambda: contextlib.nullcontext(several)  # processes can be connected only once
        parser.exit_on_user_error = contextlib.nullcontext
        for number, command in enumerate(json.loads(sys.argv[1])):
            with contextlib.suppress(SystemExit):  # of a run that was stopped
                parser.main(command)
            while states:
                save_file(states.pop().tensors(), Path(f"{number}-of-{distributed.rank()}.safetensors"))
