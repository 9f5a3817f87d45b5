#!/usr/bin/env python3
"""What ONNX Runtime alone gives: raw.py MODEL TOKENS CONNECTIONS SECONDS -> texts/s, p50 ms, p95 ms.

One connection: a session with all cores, one text at a time. More: a session of one thread on each core, with as many texts a batch as
such a number of clients would bring to each, 512 tokens at most. The upper bound of any server over the same file.
"""

import os
import sys
import threading
import time

import numpy
import onnxruntime


def session(model, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.enable_mem_pattern = threads, 1, False
    return onnxruntime.InferenceSession(model, options, disabled_optimizers=["SkipLayerNormFusion"])


def main():
    model, tokens, connections, seconds = sys.argv[1], *map(int, sys.argv[2:5])
    cores = os.cpu_count() or 1
    sessions = [session(model, cores)] if connections == 1 else [session(model, 1) for _ in range(cores)]
    rows = max(1, min(connections // len(sessions), 512 // tokens))
    chance = numpy.random.default_rng(1)
    texts = {"input_ids": chance.integers(1000, 20000, (rows, tokens)), "attention_mask": numpy.ones((rows, tokens), numpy.int64),
             "token_type_ids": numpy.zeros((rows, tokens), numpy.int64)}
    texts = {given.name: texts[given.name] for given in sessions[0].get_inputs()}
    times = []

    def work(one):
        one.run(None, texts)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            one.run(None, texts)
            times.append(time.monotonic() - begin)

    threads = [threading.Thread(target=work, args=(one,)) for one in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    half, most = numpy.percentile(times, [50, 95]) * 1e3
    print(f"{len(times) * rows / seconds:.1f} {half:.3f} {most:.3f}")


if __name__ == "__main__":
    main()
