// Reads how a model of texts and pictures wants its inputs.
import { PipiloError } from '../../base/index.ts'
import { isObject, type ModelFiles } from '../files.ts'
import type { ImagePreprocessing, TextPreprocessing } from '../types.ts'

type Config = Readonly<Record<string, unknown>>

/** OpenAI's data, by which nearly all of CLIP's kin normalise. */
const clipStatistics = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
} as const

/** How CLIP sees pictures where nothing else is said: the middle of what is resized to its shorter side. */
export function clipPictures(side: unknown): ImagePreprocessing {
  return { size: square(side), crop: 'center', cropRatio: 1, interpolation: 'bicubic', ...clipStatistics }
}

/** How SigLIP sees pictures where nothing else is said: squashed to a square. */
export function siglipPictures(side: unknown): ImagePreprocessing {
  const half = [0.5, 0.5, 0.5] as const
  return { size: square(side), crop: 'squash', interpolation: 'bicubic', mean: half, std: half }
}

const square = (side: unknown): readonly [number, number] =>
  Array.isArray(side) ? [Number(side[0]), Number(side[1])] : [Number(side ?? 224), Number(side ?? 224)]

const resizeModes: Readonly<Record<string, ImagePreprocessing['crop']>> = {
  shortest: 'center',
  longest: 'border',
  squash: 'squash',
}

/**
 * `preprocess_cfg` of OpenCLIP's `open_clip_config.json`, with its defaults.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED` for what Pipilo does not do
 */
export function openClipPictures(files: ModelFiles, config: Config): ImagePreprocessing {
  const stated = isObject(config['preprocess_cfg']) ? config['preprocess_cfg'] : {}
  const model = isObject(config['model_cfg']) ? config['model_cfg'] : config
  const vision = isObject(model['vision_cfg']) ? model['vision_cfg'] : {}
  const usual = clipPictures(stated['size'] ?? vision['image_size'])
  const refuse = (name: string): PipiloError =>
    new PipiloError(
      'FORMAT_UNSUPPORTED',
      `The ${name} of ${files.label} (open_clip_config.json) is ${JSON.stringify(stated[name])}.`,
      { input: files.label, hint: 'Say how pictures are prepared with the option card: { image: { … } }.' },
    )
  const triple = (name: 'mean' | 'std'): ImagePreprocessing['mean'] => {
    const value = stated[name] ?? usual[name]
    if (!Array.isArray(value) || value.length !== 3 || !value.every(Number.isFinite)) throw refuse(name)
    return value as unknown as ImagePreprocessing['mean']
  }
  const crop = resizeModes[String(stated['resize_mode'] ?? 'shortest')]
  if (!crop) throw refuse('resize_mode')
  const interpolation = stated['interpolation'] ?? 'bicubic'
  // `random` is for training; open_clip takes bicubic then.
  if (interpolation !== 'bicubic' && interpolation !== 'bilinear' && interpolation !== 'random')
    throw refuse('interpolation')
  const fill = typeof stated['fill_color'] === 'number' ? stated['fill_color'] : 0
  return {
    size: usual.size,
    crop,
    ...(crop === 'center' ? { cropRatio: 1 } : {}),
    ...(crop === 'border' ? { background: [fill, fill, fill] as const } : {}),
    interpolation: interpolation === 'bilinear' ? 'bilinear' : 'bicubic',
    mean: triple('mean'),
    std: triple('std'),
  }
}

/**
 * How the text tower of transformers' CLIP or SigLIP reads.
 *
 * @param config of the text tower
 * @param stated `tokenizer_config.json`
 */
export function towerTexts(kind: 'clip' | 'siglip', config: Config, stated: Config): TextPreprocessing {
  const limits = [config['max_position_embeddings'], stated['model_max_length']].filter(
    (limit): limit is number => typeof limit === 'number' && limit > 0,
  )
  if (kind === 'clip') return { maxLength: Math.min(77, ...limits) }
  const { max_position_embeddings: longest = 64 } = config
  const maxLength = Math.min(Number(longest), ...limits)
  return { maxLength, ...padded(Number(longest), stated, '</s>'), ...cleaned(stated) }
}

/** How the text tower of an OpenCLIP model reads. */
export function openClipTexts(config: Config, stated: Config): TextPreprocessing {
  const model = isObject(config['model_cfg']) ? config['model_cfg'] : config
  const text = isObject(model['text_cfg']) ? model['text_cfg'] : {}
  const kwargs = isObject(text['tokenizer_kwargs']) ? text['tokenizer_kwargs'] : {}
  const { context_length: longest = 77, pool_type: pool } = text
  const maxLength = Number(longest)
  return {
    maxLength,
    ...(pool === 'last' ? padded(maxLength, stated, undefined) : {}),
    ...(kwargs['clean'] === 'canonicalize' ? { clean: 'canonicalize' } : {}),
    ...(kwargs['clean'] === 'lower' ? { lowercase: true } : {}),
  }
}

function padded(
  length: number,
  stated: Config,
  usual: string | undefined,
): Pick<TextPreprocessing, 'padding'> {
  const named = stated['pad_token']
  const content = isObject(named) ? named['content'] : named
  const token = typeof content === 'string' ? content : usual
  return { padding: { length, ...(token === undefined ? {} : { token }) } }
}

/** SigLIP drops case and punctuation, SigLIP 2 (with Gemma's tokenizer) case alone. */
function cleaned(stated: Config): Pick<TextPreprocessing, 'clean' | 'lowercase'> {
  const kind = String(stated['tokenizer_class'] ?? 'SiglipTokenizer')
  if (/^Siglip2|Gemma/.test(kind)) return { lowercase: true }
  return { clean: 'siglip' }
}
