// The main thread's interface to the worker: a promise for each request, and events.

import { Fault } from './fault.js';

export class Client {
  #worker;
  #waiting = new Map();
  #next = 1;

  // `hear(event)` receives the worker's events; failing to start the worker is one as well.
  constructor(url, hear) {
    try {
      this.#worker = new Worker(url, { type: 'module' });
    } catch (bad) {
      queueMicrotask(() => hear({ event: 'stopped', message: bad.message }));
      return;
    }
    this.#worker.onmessage = ({ data }) => (data.event ? hear(data) : this.#answer(data));
    this.#worker.onerror = (bad) => {
      bad.preventDefault();
      this.#fail(bad.message);
      hear({ event: 'stopped', message: bad.message ?? '' });
    };
  }

  ask(op, facts = {}) {
    if (!this.#worker) return Promise.reject(stopped());
    return new Promise((done, failed) => {
      const id = this.#next++;
      this.#waiting.set(id, { done, failed });
      this.#worker.postMessage({ id, op, ...facts });
    });
  }

  #answer({ id, result, fault }) {
    const { done, failed } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (fault) failed(Fault.of(fault));
    else done(result);
  }

  #fail() {
    for (const { failed } of this.#waiting.values()) failed(stopped());
    this.#waiting.clear();
  }
}

function stopped() {
  return new Fault('STOPPED', 'The thread that embeds has stopped: this browser may have too little memory.', 'reload the page');
}
