from ganopt.environment import ignore_unusable_proxies
from ganopt.errors import exit_on_user_error

ignore_unusable_proxies()  # Gradio reads these settings when it is imported

from ganopt.ui import build_app, launch  # noqa: E402

with exit_on_user_error():
    demo = build_app()

if __name__ == "__main__":
    launch(demo)
