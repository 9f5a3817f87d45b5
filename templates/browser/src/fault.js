// An error with what failed, why, and the next step. Code branches on `code`; the texts are for users.

export class Fault extends Error {
  constructor(code, message, next = '') {
    super(message);
    this.code = code;
    this.next = next;
  }

  // Plain data for a message between threads: a clone of an Error loses its own fields.
  static data(bad) {
    if (bad instanceof Fault) return { code: bad.code, message: bad.message, next: bad.next };
    return { code: 'UNEXPECTED', message: String(bad?.message ?? bad), next: 'reload the page' };
  }

  static of({ code, message, next }) {
    return new Fault(code, message, next);
  }
}
