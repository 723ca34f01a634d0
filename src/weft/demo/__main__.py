"""``python -m weft.demo mill --port 4840``: one process of the model factory's field."""

from weft.demo.process import main

if __name__ == "__main__":
    main()
