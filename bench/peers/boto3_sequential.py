"""The benchmark's resource set made by boto3, one call after the other, with boto3's own waiter."""

from stack import Stack, arguments


def main():
    stack = Stack(arguments(), connections=10, poll=None)
    for step in Stack.STEPS:
        stack.do(step)


if __name__ == "__main__":
    main()
