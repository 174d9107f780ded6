/** Agreement of clusters with classes. */
import { checkPaired, placedLabels } from './checks.ts'

/** Results of {@link clusterMeasures}. */
export interface ClusterMeasures {
  /** Pairs that are together or apart in both, corrected for chance: 1 for the same partition, about 0 for an arbitrary one. */
  readonly adjustedRand: number
  /** Mutual information over the arithmetic mean of both entropies. */
  readonly normalizedMutualInformation: number
  /** Clusters hold members of one class only: 1 minus the entropy of classes that clusters leave. */
  readonly homogeneity: number
  /** Members of a class are in one cluster. */
  readonly completeness: number
  /** Harmonic mean of the two. */
  readonly vMeasure: number
}

/**
 * How clusters agree with classes: ARI, NMI, homogeneity, completeness, V-measure.
 *
 * @example
 * ```ts
 * const { labels: clusters } = await kMeans(vectors, { k: 10 })
 * clusterMeasures(clusters, labels).vMeasure
 * ```
 *
 * @remarks
 * As scikit-learn's functions of these names, but with no entropy 1 where both partitions have one part. ARI: https://doi.org/10.1007/BF01908075;
 * V-measure: https://aclanthology.org/D07-1043.
 *
 * @param clusters index of each element's cluster, from 0
 * @param classes index of its class
 * @throws `INPUT_INVALID` for lists of unlike lengths, empty ones, and for what is no index
 */
export function clusterMeasures(clusters: ArrayLike<number>, classes: ArrayLike<number>): ClusterMeasures {
  checkPaired({ clusters, classes }, 1)
  const { occurring, places } = placedLabels({ clusters, classes })
  return clusterAgreement(places.clusters, places.classes, occurring.length)
}

/** {@link clusterMeasures} of clusters and classes that are below `count`. */
export function clusterAgreement(
  clusters: ArrayLike<number>,
  classes: ArrayLike<number>,
  count: number,
): ClusterMeasures {
  checkPaired({ clusters, classes }, 1)
  const [byCluster, byClass] = [new Float64Array(count), new Float64Array(count)]
  for (let i = 0; i < classes.length; i++) {
    byCluster[clusters[i]!]!++
    byClass[classes[i]!]!++
  }
  const table = together(clusters, classes, count)
  return agreement(table, byCluster, byClass, classes.length)
}

/** Members of each cluster and class that have any in common, in the order of both: most of many clusters have none of most classes. */
function together(clusters: ArrayLike<number>, classes: ArrayLike<number>, count: number): Float64Array {
  const times = new Map<number, number>()
  for (let i = 0; i < classes.length; i++) {
    const cell = clusters[i]! * count + classes[i]!
    times.set(cell, (times.get(cell) ?? 0) + 1)
  }
  return Float64Array.from(
    [...times].sort(([a], [b]) => a - b),
    ([, members]) => members,
  )
}

function agreement(
  table: Float64Array,
  byCluster: Float64Array,
  byClass: Float64Array,
  count: number,
): ClusterMeasures {
  const [ofClusters, ofClasses] = [entropy(byCluster, count), entropy(byClass, count)]
  const shared = ofClusters + ofClasses - entropy(table, count)
  const information = Math.max(0, shared)
  const homogeneity = ofClasses === 0 ? 1 : information / ofClasses
  const completeness = ofClusters === 0 ? 1 : information / ofClusters
  return {
    adjustedRand: adjustedRand(table, byCluster, byClass, count),
    normalizedMutualInformation:
      ofClusters + ofClasses === 0 ? 1 : (2 * information) / (ofClusters + ofClasses),
    homogeneity,
    completeness,
    vMeasure:
      homogeneity + completeness === 0 ? 0 : (2 * homogeneity * completeness) / (homogeneity + completeness),
  }
}

function entropy(counts: Float64Array, total: number): number {
  let sum = 0
  for (const times of counts) if (times > 0) sum -= (times / total) * Math.log(times / total)
  return sum
}

const pairs = (counts: Float64Array) => counts.reduce((sum, times) => sum + (times * (times - 1)) / 2, 0)

function adjustedRand(
  table: Float64Array,
  byCluster: Float64Array,
  byClass: Float64Array,
  count: number,
): number {
  const all = (count * (count - 1)) / 2
  const [inBoth, inCluster, inClass] = [pairs(table), pairs(byCluster), pairs(byClass)]
  const expected = all === 0 ? 0 : (inCluster * inClass) / all
  const most = (inCluster + inClass) / 2
  return most === expected ? 1 : (inBoth - expected) / (most - expected)
}
