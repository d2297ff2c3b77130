"""`python -m ganopt`: the command line."""

if __name__ == "__main__":  # not in worker processes, which import this module too
    from ganopt.cli.parser import main

    main()
