from ganopt.errors import exit_on_user_error
from ganopt.ui import build_app, launch

with exit_on_user_error():
    demo = build_app()

if __name__ == "__main__":
    launch(demo)
