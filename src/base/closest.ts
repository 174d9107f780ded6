/**
 * The candidates that are most like a name, for "did you mean" hints; best first.
 *
 * @example
 * ```ts
 * closest('encodr.layer.1', ['pooler', 'encoder.layer.1', 'encoder.layer.11']) // ['encoder.layer.1', 'encoder.layer.11']
 * ```
 *
 * @remarks
 * Upper and lower case are not told apart. A candidate counts if it contains the name, is contained in it, or if at most
 * two fifths of the longer one's letters have to be changed (edit distance with transpositions).
 *
 * @param n how many at most. Default 3.
 */
export function closest(name: string, candidates: Iterable<string>, n = 3): string[] {
  const wanted = name.toLowerCase()
  const scored: { candidate: string; score: number }[] = []
  for (const candidate of new Set(candidates)) {
    const score = dissimilarity(wanted, candidate.toLowerCase())
    if (score <= 0.4) scored.push({ candidate, score })
  }
  return scored
    .sort(
      (a, b) =>
        a.score - b.score || a.candidate.length - b.candidate.length || (a.candidate < b.candidate ? -1 : 1),
    )
    .slice(0, n)
    .map(({ candidate }) => candidate)
}

/** 0 for equal names, up to 1 for names with nothing in common. */
function dissimilarity(a: string, b: string): number {
  const longer = Math.max(a.length, b.length)
  if (longer === 0) return 0
  const shorter = Math.min(a.length, b.length)
  if (shorter > 2) {
    const share = 1 - shorter / longer
    if (b.startsWith(a) || a.startsWith(b)) return 0.2 * share
    if (b.endsWith(a) || a.endsWith(b)) return 0.1 + 0.2 * share
    if (b.includes(a) || a.includes(b)) return 0.2 + 0.2 * share
  }
  if (1 - shorter / longer > 0.4) return 1
  return editDistance(a, b) / longer
}

/** Damerau and Levenshtein's distance (adjacent letters may swap), by rows of the table. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, before[j - 2]! + 1)
      row.push(cost)
    }
    before = previous
    previous = row
  }
  return previous[b.length]!
}
