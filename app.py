import sys

from ganopt.environment import ignore_unusable_proxies
from ganopt.errors import UserError, exit_on_user_error

with exit_on_user_error():
    if __name__ == "__main__" and len(sys.argv) > 1:
        raise UserError(
            "app.py has no options; GRADIO_SERVER_NAME and GRADIO_SERVER_PORT are its address, "
            "and python -m ganopt --help lists the commands."
        )

ignore_unusable_proxies()  # Gradio reads these settings when it is imported

from ganopt.ui import build_app, launch  # noqa: E402

with exit_on_user_error():
    demo = build_app()

if __name__ == "__main__":
    launch(demo)
