"""`python -m ganopt`: the command line."""

if __name__ == "__main__":  # a worker process that reads pictures passes by here, and needs none of it
    from ganopt.cli.parser import main

    main()
