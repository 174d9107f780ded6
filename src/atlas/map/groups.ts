// Groups by which a map is coloured: labels, or clusters with names.
import { checkCount, PipiloError } from '../../base/index.ts'
import { kMeans } from '../../evaluate/index.ts'
import { cosineSimilarity, type Matrix, row } from '../../tensor/index.ts'
import type { MapGroups, MapItem, MapOptions } from '../types.ts'

/** Name of the group of items without a label. */
const UNLABELLED = 'no label'

/** Longest name of a cluster. */
const LONGEST = 40

const MOST_CLUSTERS = 12

/** Groups of items by `options.color`. @param vectors of length 1, those of the first view */
export async function groupsOf(
  items: readonly MapItem[],
  vectors: Matrix,
  options: MapOptions,
): Promise<MapGroups> {
  const hasLabels = items.some(({ label }) => label !== undefined)
  const { color = hasLabels && options.clusters === undefined ? 'label' : 'cluster' } = options
  if (color === 'label') {
    if (options.clusters !== undefined) {
      throw new PipiloError('OPTION_INVALID', 'clusters is of no use where labels give the colours.', {
        input: 'clusters',
      })
    }
    if (!hasLabels) {
      throw new PipiloError('INPUT_INVALID', 'No item has a label to be coloured by.', {
        input: 'color',
        hint: "Colour them by cluster: color: 'cluster'.",
      })
    }
    return byLabel(items)
  }
  if (color === 'cluster') return byCluster(items, vectors, options)
  throw new PipiloError('OPTION_INVALID', `color is '${String(color)}'; it has to be label or cluster.`, {
    input: 'color',
  })
}

function byLabel(items: readonly MapItem[]): MapGroups {
  const labels = new Set(items.flatMap(({ label }) => (label === undefined ? [] : [label])))
  const names = [...labels].sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  const places = new Map(names.map((name, i) => [name, i]))
  const isAll = items.every(({ label }) => label !== undefined)
  return {
    kind: 'label',
    names: isAll ? names : [...names, UNLABELLED],
    of: Uint32Array.from(items, ({ label }) => (label === undefined ? names.length : places.get(label)!)),
  }
}

async function byCluster(
  items: readonly MapItem[],
  vectors: Matrix,
  { clusters, seed = 0, signal }: MapOptions,
): Promise<MapGroups> {
  const { rows } = vectors
  const usual = Math.max(1, Math.min(MOST_CLUSTERS, Math.round(Math.sqrt(rows))))
  const k = clusters ?? usual
  checkCount('clusters', k, 1)
  if (k > rows) {
    throw new PipiloError('OPTION_INVALID', `clusters is ${k}; there are ${rows} items.`, {
      input: 'clusters',
    })
  }
  const { labels, centers } = await kMeans(vectors, { k, starts: 3, seed, ...(signal && { signal }) })
  const middles = Array.from({ length: k }, (_, cluster) => {
    let [best, most] = [-1, Number.NEGATIVE_INFINITY]
    for (let i = 0; i < rows; i++) {
      if (labels[i] !== cluster) continue
      const cosine = cosineSimilarity(row(vectors, i), row(centers, cluster))
      if (cosine > most || best < 0) [best, most] = [i, cosine]
    }
    return best
  })
  // Equal vectors leave clusters empty: those have no name and no colour.
  const kept = middles.flatMap((middle, cluster) => (middle < 0 ? [] : [cluster]))
  const places = new Map(kept.map((cluster, i) => [cluster, i]))
  return {
    kind: 'cluster',
    names: kept.map((cluster) => nameOf(items[middles[cluster]!]!)),
    of: Uint32Array.from(labels, (cluster) => places.get(cluster)!),
  }
}

/** The text in the middle of a cluster stands for it, or the name of the picture there. */
function nameOf({ id, text }: MapItem): string {
  const words = (text ?? id.split('/').at(-1)!).replace(/\s+/g, ' ').trim()
  return words.length > LONGEST ? `${words.slice(0, LONGEST - 1).trimEnd()}…` : words
}
