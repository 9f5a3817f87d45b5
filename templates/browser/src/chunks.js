// chunks.json: hashes of the parts of large files, so that each part is checked when it arrives and a download can be resumed.

const FORMAT = 1;
const PART = 1 << 20;

// The parts of a file: `{from, size, sha256}`. Without a matching table, parts have no hash, and the whole file is checked.
export function partsOf(file, table) {
  const known = table?.format === FORMAT ? table.files?.[file.path] : undefined;
  const fits = known && known.size === file.size && known.sha256 === file.sha256
    && known.sha256s.length === Math.ceil(file.size / known.chunk);
  const chunk = fits ? known.chunk : PART;
  const count = Math.max(1, Math.ceil(file.size / chunk));
  return Array.from({ length: count }, (_, at) => ({
    from: at * chunk,
    size: Math.min(chunk, file.size - at * chunk),
    sha256: fits ? known.sha256s[at] : count === 1 ? file.sha256 : undefined,
  }));
}

// The parts that contain these bytes of a file.
export function partsAround(parts, from, size) {
  const chunk = parts[0].size;
  const first = Math.floor(from / chunk);
  const last = Math.floor((from + size - 1) / chunk);
  return Array.from({ length: last - first + 1 }, (_, at) => first + at);
}
