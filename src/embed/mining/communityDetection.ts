// Groups vectors that lie around a common centre.
import { breathe, checkCount, is, type OptionTable, PipiloError } from '../../base/index.ts'
import type { Matrix, Vector } from '../../tensor/index.ts'
import { close } from './products.ts'
import { vectorSet } from './vectorSet.ts'

/** Options of {@link communityDetection}. */
export interface CommunityDetectionOptions {
  /** Cosine with the centre from which a vector belongs to a community. Default 0.75. */
  readonly threshold?: number
  /** Vectors of a community, its centre included, at least. Default 10. */
  readonly minSize?: number
  readonly signal?: AbortSignal
}

/** Types of {@link CommunityDetectionOptions}. */
export const communityDetectionOptions: OptionTable<CommunityDetectionOptions> = {
  threshold: is.numeric(-1, 1),
  minSize: is.count(1),
  signal: is.abortSignal,
}

/** See `communityDetection` in onDemand.ts. */
export async function communityDetection(
  vectors: readonly Vector[] | Matrix,
  { threshold = 0.75, minSize = 10, signal }: CommunityDetectionOptions = {},
): Promise<number[][]> {
  checkCount('minSize', minSize, 1)
  if (!(threshold >= -1 && threshold <= 1)) {
    throw new PipiloError('OPTION_INVALID', `threshold is ${threshold}; a cosine lies between -1 and 1.`, {
      input: 'threshold',
    })
  }
  const set = vectorSet(vectors, 'cosine', 'vectors')
  if (set.rows < minSize) return []
  const candidates: Candidate[] = []
  let near: Near[] = []
  // Scores are float32, and so is the threshold in the graph.
  for await (const { first, rows, isLast, queries, indices, scores } of close(set, set, threshold, signal)) {
    if (near.length === 0) near = Array.from({ length: rows }, () => ({ indices: [], scores: [] }))
    for (const [at, query] of queries.entries()) {
      near[query]!.indices.push(indices[at]!)
      near[query]!.scores.push(scores[at]!)
    }
    if (!isLast) continue
    for (const [i, found] of near.entries()) {
      await breathe()
      if (found.indices.length >= minSize) candidates.push({ center: first + i, members: byScore(found) })
    }
    near = []
  }
  return distinct(candidates, set.rows, minSize).map((members) => members.map((place) => set.origin[place]!))
}

/** Vectors near one, in the order of their indices. */
interface Near {
  readonly indices: number[]
  readonly scores: number[]
}

/** A centre and all that is near it, itself included, nearest first. */
interface Candidate {
  readonly center: number
  readonly members: Int32Array
}

function byScore({ indices, scores }: Near): Int32Array {
  const order = indices.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b)
  return Int32Array.from(order, (i) => indices[i]!)
}

/** Largest first, each without what larger ones have taken; sorts are stable, so that of equals the lower centre is first. */
function distinct(candidates: Candidate[], length: number, minSize: number): number[][] {
  const bySize = candidates.sort((a, b) => b.members.length - a.members.length)
  const used = new Uint8Array(length)
  const communities: number[][] = []
  for (const { center, members } of bySize) {
    if (used[center]) continue
    const free = [...members].filter((place) => !used[place])
    if (free.length < minSize) continue
    const community = [center, ...free.filter((place) => place !== center)]
    for (const place of community) used[place] = 1
    communities.push(community)
  }
  return communities.sort((a, b) => b.length - a.length)
}
