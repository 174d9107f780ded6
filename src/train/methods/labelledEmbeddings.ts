/** Embeddings from labels: pairs, triplets and supervised contrast. */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import { op } from '../../graph/index.ts'
import { l2Normalize } from '../../nn/index.ts'
import { tensor } from '../../tensor/index.ts'
import type { Objective, Scope } from '../objective.ts'
import { batchAllTriplet, batchHardTriplet, batchSemiHardTriplet } from '../objectives/batchTriplet.ts'
import { type ContrastiveOptions, contrastive } from '../objectives/contrastive.ts'
import {
  type SupervisedContrastiveOptions,
  supervisedContrastive,
} from '../objectives/supervisedContrastive.ts'

const classPairsTypes: OptionTable<ContrastiveOptions> = { margin: is.numeric(), distance: is.any }

const supervisedContrastTypes: OptionTable<SupervisedContrastiveOptions> = {
  temperature: is.numeric(0),
  rescale: is.flag,
}

const tripletsTypes: OptionTable<TripletsOptions> = {
  mining: is.oneOf(['all', 'hard', 'semi-hard']),
  margin: is.numeric(),
  normalize: is.flag,
}

/** Options of {@link triplets}. */
export interface TripletsOptions {
  /** Triplets of a batch: all of them, the hardest of each anchor, or negatives just beyond the positive. Default `hard`. */
  readonly mining?: 'all' | 'hard' | 'semi-hard'
  /** Default 0.3. */
  readonly margin?: number
  /** Vectors are made length 1 first. Default `true`. */
  readonly normalize?: boolean
}

/**
 * Triplet loss over the triplets of each labelled batch (https://arxiv.org/abs/1703.07737).
 *
 * @example
 * ```ts
 * await train({ network, objective: triplets({ mining: 'hard', margin: 0.3 }), data: await readDataset('photos/') })
 * ```
 *
 * @remarks The data has the columns `image` and `label`, with two classes at least; batches have several rows of several classes.
 */
export function triplets(given: TripletsOptions = {}): Objective {
  checkOptions('triplets', given, tripletsTypes)
  const { mining = 'hard', margin = 0.3, normalize = true } = given
  const losses = { all: batchAllTriplet, hard: batchHardTriplet, 'semi-hard': batchSemiHardTriplet }
  return {
    name: 'triplets',
    leastBatch: 4,
    sampling: 'classes',
    build: (scope) => ({ loss: losses[mining](embeddings(scope, normalize), scope.labels(), { margin }) }),
  }
}

/**
 * Contrastive loss of all pairs of each labelled batch: pictures of one class are drawn together, others pushed apart up to the margin
 * (http://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf).
 *
 * @example
 * ```ts
 * await train({ network, objective: classPairs({ margin: 0.5 }), data: await readDataset('photos/') })
 * ```
 *
 * @remarks
 * The data has the columns `image` and `label`, with two classes at least. Pairs of texts that are labelled themselves are {@link labelledPairs}.
 */
export function classPairs(options: ContrastiveOptions = {}): Objective {
  checkOptions('classPairs', options, classPairsTypes)
  return {
    name: 'class pairs',
    leastBatch: 4,
    sampling: 'classes',
    build(scope) {
      const [vectors, labels] = [embeddings(scope, false), scope.labels()]
      const rows = Array.from({ length: scope.batch }, (_, row) => row)
      const pairs = rows.flatMap((a) => rows.slice(a + 1).map((b) => [a, b] as const))
      const side = (which: 0 | 1) =>
        scope.builder.constant(
          tensor(
            'int64',
            [pairs.length],
            pairs.map((pair) => pair[which]),
          ),
        )
      const [first, second] = [side(0), side(1)]
      const isOneClass = op.equal(op.gather(labels, first), op.gather(labels, second))
      return { loss: contrastive(op.gather(vectors, first), op.gather(vectors, second), isOneClass, options) }
    },
  }
}

/**
 * Supervised contrastive loss (https://arxiv.org/abs/2004.11362) of each labelled batch.
 *
 * @example
 * ```ts
 * await train({ network, objective: supervisedContrast({ temperature: 0.1 }), data: await readDataset('photos/') })
 * ```
 */
export function supervisedContrast(options: SupervisedContrastiveOptions = {}): Objective {
  checkOptions('supervisedContrast', options, supervisedContrastTypes)
  return {
    name: 'supervised contrast',
    leastBatch: 4,
    sampling: 'classes',
    build: (scope) => ({ loss: supervisedContrastive(embeddings(scope, true), scope.labels(), options) }),
  }
}

function embeddings(scope: Scope, normalize: boolean) {
  const vectors = scope.embed({ pixel_values: scope.pixels() })
  return normalize ? l2Normalize(vectors) : vectors
}
