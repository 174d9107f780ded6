/** data2vec: a network with masked patches predicts what its moving average makes of the whole picture (https://arxiv.org/abs/2202.03555). */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import { tensor } from '../../tensor/index.ts'
import { blockMask, type MaskCounters, patchMask } from '../augmentations/index.ts'
import type { Objective, TeacherOptions } from '../objective.ts'
import { data2vecLoss, data2vecTarget, NORMS, type TargetNorm } from '../objectives/data2vec.ts'
import { teacherType } from './teacherType.ts'

const data2vecTypes: OptionTable<Data2VecOptions> = {
  grid: is.listOf(is.count(1), 2, 2),
  layers: is.listOf(is.name, 1),
  ratio: is.numeric(0, 1),
  masks: is.oneOf(['blocks', 'random']),
  beta: is.numeric(0),
  layerNorm: is.oneOf(NORMS),
  teacher: teacherType,
}

/** Options of {@link data2vec}. */
export interface Data2VecOptions {
  /** Rows and columns of patches. */
  readonly grid: readonly [rows: number, columns: number]
  /** Outputs of the network that are averaged to the target: `hidden_state_2`, `hidden_state_3`. */
  readonly layers: readonly string[]
  /** Part of the patches that is masked. Default 0.6. */
  readonly ratio?: number
  /** Shape of what is masked: `blocks` of patches, as in the paper, or `random` single ones, which small networks learn from sooner. Default `blocks`. */
  readonly masks?: 'blocks' | 'random'
  /** Difference at which squares become lines. Default 2, the paper's for pictures. */
  readonly beta?: number
  /**
   * Standardisation of each layer before the mean. Default `layer`, as in the paper; `batch` where the teacher comes to say the same of all
   * pictures, as it does in short runs on few.
   */
  readonly layerNorm?: TargetNorm
  /** Default: a momentum of 0.999, without masks and dropout. */
  readonly teacher?: TeacherOptions
}

/**
 * The distance of the student's predictions behind masked patches from the mean of the teacher's top layers.
 *
 * @example
 * ```ts
 * const network = maskedVitNetwork({ img_size: 64, patch_size: 8, embed_dim: 192, depth: 4, num_heads: 3, top_layers: 2 })
 * const objective = data2vec({ grid: [8, 8], layers: ['hidden_state_2', 'hidden_state_3'] })
 * await train({ network, objective, data: await readDataset('photos/') })
 * ```
 *
 * @remarks The data has the column `image`.
 */
export function data2vec(options: Data2VecOptions): Objective {
  checkOptions('data2vec', options, data2vecTypes)
  const { grid, layers, ratio = 0.6, masks = 'blocks', beta = 2, layerNorm = 'layer' } = options
  const { teacher = { momentum: 0.999, mode: 'inference' } } = options
  const patches = grid[0] * grid[1]
  const draw = (counters: MaskCounters) =>
    masks === 'blocks'
      ? blockMask({ grid, ratio, ...counters })
      : patchMask({ patches, ratio, ...counters }).mask
  return {
    name: 'data2vec',
    teacher,
    build(scope) {
      const pixels = scope.pixels()
      const count = scope.batch
      const mask = scope.drawn(
        'mask',
        'bool',
        [count, patches],
        ({ seed, step }) => draw({ seed, step, count }).data as Uint8Array,
      )
      const [prediction] = scope.network({ pixel_values: pixels, mask }, ['prediction'])
      const none = scope.builder.constant(
        tensor(
          'bool',
          [count, patches],
          Array.from({ length: count * patches }, () => 0),
        ),
      )
      const hidden = scope.teacher(() => scope.network({ pixel_values: pixels, mask: none }, layers))
      const target = data2vecTarget(hidden, { layerNorm, averageTopKLayers: hidden.length })
      return { loss: data2vecLoss(prediction!, target, mask, { beta }) }
    },
  }
}
