"""The benchmark's resource set made by boto3 as a graph: a step begins on a thread when what it needs is done."""

import concurrent.futures

from stack import Stack, arguments

AT_ONCE = 24


def main():
    stack = Stack(arguments(), connections=AT_ONCE, poll=0.1)
    waiting = {step: set(needs) for step, needs in Stack.STEPS.items()}
    running = {}
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        while waiting or running:
            for step in [step for step, needs in waiting.items() if not needs]:
                del waiting[step]
                running[pool.submit(stack.do, step)] = step
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                step = running.pop(future)
                future.result()
                for needs in waiting.values():
                    needs.discard(step)


if __name__ == "__main__":
    main()
