"""`ganopt` or `python -m ganopt`: the page, or with arguments the command line."""

import sys


def main() -> None:
    """Run the command that is given, or serve the page until it is closed."""
    if len(sys.argv) > 1:
        from ganopt.cli import parser

        return parser.main()
    from ganopt.environment import ignore_unusable_proxies
    from ganopt.errors import exit_on_user_error

    ignore_unusable_proxies()  # Gradio reads these settings when it is imported
    from ganopt.ui import build_app, launch

    with exit_on_user_error():
        demo = build_app()
    return launch(demo)


if __name__ == "__main__":
    main()
