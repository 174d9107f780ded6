/**
 * The notation of the MnasNet and EfficientNet families for their blocks (https://arxiv.org/abs/1807.11626), as timm writes it:
 * `ir_r2_k3_s2_e6_c24_se0.25` is an inverted residual, twice, kernel 3, stride 2, expansion by 6, 24 channels, and a quarter of the
 * channels in squeeze and excitation.
 */
import { PipiloError } from '../../base/index.ts'

/**
 * `ir` inverted residual, `ds` depthwise separable (`dsa` with an activation behind), `er` with a full first convolution, `cn`
 * convolution, `uir` universal inverted residual, `mqa` multi-query attention.
 */
export type BlockType = 'ir' | 'ds' | 'dsa' | 'er' | 'cn' | 'uir' | 'mqa'

/** One block, before channels are scaled. */
export interface BlockSpec {
  readonly type: BlockType
  /** `k`: several are for equal parts of the channels. */
  readonly kernel: readonly number[]
  /** `a` and `p`: kernels of the convolutions before and behind; 0 for none in `uir`. */
  readonly before: readonly number[]
  readonly behind: readonly number[]
  readonly stride: number
  /** `e` */
  readonly expand: number
  /** `c` */
  readonly channels: number
  /** `se`: 0 for none. */
  readonly se: number
  /** `n`: default the network's. */
  readonly act?: string
  /** `skip` and `noskip`: default where shapes allow it. */
  readonly skip?: boolean
  /** `fc`: channels from which the expansion counts. */
  readonly expandFrom?: number
  /** `cc` */
  readonly experts: number
  /** `gs`: channels of a group. */
  readonly group?: number
  /** `h`, `d`, `v` of attention. */
  readonly heads: number
  readonly keys: number
  readonly keyStride: number
  /** `d` of convolutions: the stage begins by moving space to channels. */
  readonly spaceToDepth: boolean
}

export interface SpecOptions {
  /** Of all stages, or each. Default 1. */
  readonly depth_multiplier?: number | readonly number[]
  /** Default `ceil`. */
  readonly depth_trunc?: 'ceil' | 'round'
  /** The first and the last stage keep their depth. Default `false`. */
  readonly fix_first_last?: boolean
  /** Channels of a group, where a block says nothing. */
  readonly group_size?: number
  /** Default 1. */
  readonly experts_multiplier?: number
}

const ACTIVATIONS: Readonly<Record<string, string>> = {
  re: 'relu',
  r6: 'relu6',
  hs: 'hard_swish',
  sw: 'silu',
  mi: 'mish',
}

/**
 * The blocks of each stage.
 *
 * @example
 * ```ts
 * decodeStages(['ds_r1_k3_s1_c16', 'ir_r1_k3_s2_e4_c24 ir_r1_k3_s1_e3_c24'], { depth_multiplier: 1.2 })
 * ```
 *
 * @param stages one string a stage, its blocks parted by spaces
 * @throws PipiloError `OPTION_INVALID` for a block that cannot be read
 */
export function decodeStages(stages: readonly string[], options: SpecOptions = {}): BlockSpec[][] {
  const { depth_multiplier = 1, fix_first_last = false, depth_trunc = 'ceil' } = options
  return stages.map((text, i) => {
    const blocks = text.split(' ').map((block) => decode(block, options))
    const fixed = fix_first_last && (i === 0 || i === stages.length - 1)
    const scale = fixed ? 1 : typeof depth_multiplier === 'number' ? depth_multiplier : depth_multiplier[i]!
    const repeats = scaleRepeats(
      blocks.map(({ repeats }) => repeats),
      scale,
      depth_trunc,
    )
    return blocks.flatMap(({ spec }, j) => Array<BlockSpec>(repeats[j]!).fill(spec))
  })
}

/** Rounds halves to even, as Python does. */
export function roundEven(value: number): number {
  const floor = Math.floor(value)
  if (value - floor !== 0.5) return Math.round(value)
  return floor % 2 === 0 ? floor : floor + 1
}

/** The stage's repeats times `scale`, spread over its blocks from the last one on. */
function scaleRepeats(repeats: readonly number[], scale: number, trunc: 'ceil' | 'round'): number[] {
  let total = repeats.reduce((sum, count) => sum + count, 0)
  let scaled = trunc === 'round' ? Math.max(1, roundEven(total * scale)) : Math.ceil(total * scale)
  return repeats
    .toReversed()
    .map((count) => {
      const share = Math.max(1, roundEven((count / total) * scaled))
      total -= count
      scaled -= share
      return share
    })
    .toReversed()
}

const TYPES: ReadonlySet<string> = new Set<BlockType>(['ir', 'ds', 'dsa', 'er', 'cn', 'uir', 'mqa'])

function decode(block: string, options: SpecOptions): { spec: BlockSpec; repeats: number } {
  const [type, ...words] = block.split('_')
  const values = new Map<string, string>()
  let act: string | undefined
  let skip: boolean | undefined
  for (const word of words) {
    const numeric = /^([a-z]+)(\d.*)$/.exec(word)
    if (word === 'skip' || word === 'noskip') skip = word === 'skip'
    else if (word.startsWith('n') && ACTIVATIONS[word.slice(1)]) act = ACTIVATIONS[word.slice(1)]!
    else if (numeric) values.set(numeric[1]!, numeric[2]!)
    else throw unreadable(block)
  }
  if (!TYPES.has(type!) || !values.has('c') || !values.has('s') || !values.has('r')) throw unreadable(block)
  const number = (key: string, otherwise: number) => Number(values.get(key) ?? otherwise)
  const kernels = (key: string, otherwise: number) =>
    (values.get(key) ?? `${otherwise}`).split('.').map(Number)
  const around = type === 'uir' ? 0 : 1
  const group = values.has('gs') ? number('gs', 1) : options.group_size
  const spec: BlockSpec = {
    type: type as BlockType,
    kernel: kernels('k', 1),
    before: kernels('a', around),
    behind: kernels('p', around),
    stride: number('s', 1),
    expand: number('e', 1),
    channels: number('c', 0),
    se: number('se', 0),
    ...(act ? { act } : {}),
    ...(skip === undefined ? {} : { skip }),
    ...(values.has('fc') ? { expandFrom: number('fc', 0) } : {}),
    experts: number('cc', 0) * (options.experts_multiplier ?? 1),
    ...(group === undefined ? {} : { group }),
    heads: number('h', 1),
    keys: number('d', 0),
    keyStride: number('v', 1),
    spaceToDepth: type !== 'mqa' && number('d', 0) > 0,
  }
  return { spec, repeats: number('r', 1) }
}

function unreadable(block: string): PipiloError {
  return new PipiloError('OPTION_INVALID', `The block ${JSON.stringify(block)} cannot be read.`, {
    input: block,
    hint: 'A block is written like ir_r2_k3_s2_e6_c24_se0.25.',
  })
}
