"""`python -m gradtruce`, and so `torchrun --nproc-per-node 2 -m gradtruce train …`."""

from gradtruce.cli import main

if __name__ == "__main__":
    main()
