// Counts, by reason, requests that the edge should have answered and the origin answered instead: as a line of CloudWatch's embedded
// metric format in the log, which becomes a metric in the region where the function ran, and for /edge/health of this instance.

const NAMESPACE = 'AkidbEdge';

export class Fallbacks {
  constructor(write = (line) => process.stdout.write(line)) {
    this.counts = {};
    this.write = write;
  }

  /** `error` is only logged if the reason is unexpected. Neither contains texts of callers. */
  count(reason, error) {
    this.counts[reason] = (this.counts[reason] ?? 0) + 1;
    const name = process.env.AWS_LAMBDA_FUNCTION_NAME ?? 'local';
    const metrics = [{ Name: 'Fallbacks', Unit: 'Count' }];
    const line = {
      _aws: { Timestamp: Date.now(), CloudWatchMetrics: [{ Namespace: NAMESPACE, Dimensions: [['Function', 'Reason']], Metrics: metrics }] },
      Function: name,
      Reason: reason,
      Fallbacks: 1,
      ...(reason === 'error' ? { error: String(error?.message ?? error).slice(0, 300) } : {}),
    };
    this.write(`${JSON.stringify(line)}\n`);
  }
}
