// Use of a foreign ONNX graph of pictures: its tap, size and preparation.
import { PipiloError } from '../../base/index.ts'
import { cut, type Graph, inferShapes, type ValueType } from '../../graph/index.ts'
import { isObject, type ModelFiles } from '../files.ts'
import { findPictureInput, type PictureInput, patchSize, pictureInput } from '../model/pictureInput.ts'
import { rawPixels } from '../model/preprocessing.ts'
import type { ImagePreprocessing } from '../types.ts'
import type { FoundCard, ReadOptions } from './foundModel.ts'
import { innerScale } from './onnxPictureScale.ts'
import { pictureTap } from './onnxPictureTap.ts'
import type { Surroundings } from './onnxSurroundings.ts'
import { isComplete, preprocessorOf } from './preprocessor.ts'
import { imageNet, readTimmConfig } from './timm.ts'

type Size = readonly [height: number, width: number]

/** The graph and its card. */
export function pictureUse(
  read: Graph,
  files: Pick<ModelFiles, 'label'>,
  around: Surroundings,
  options: ReadOptions,
  common: Pick<FoundCard, 'description' | 'licence'>,
): { readonly graph: Graph; readonly card: FoundCard } {
  const input = pictureInput(read, files.label)
  const graph = withShape(read, input)
  const { image, notes } = preparation(graph, files, around, input, options)
  const embedding = pictureTap(graph, input, image?.size, around)
  const card: FoundCard = {
    ...common,
    modality: 'image',
    tap: embedding.tap,
    ...(embedding.penultimate === undefined ? {} : { penultimate: embedding.penultimate }),
    pool: embedding.pool,
    normalize: true,
    dimensions: 0,
    ...(image && { image }),
    notes: [embedding.notes, notes].filter((note) => note !== undefined).join(' '),
  }
  return { graph: withoutOthers(graph, input, embedding.tap), card }
}

/** The graph without inputs that the embedding does without, such as those of texts in CLIP's. */
function withoutOthers(graph: Graph, input: PictureInput, tap: string): Graph {
  if (tap === '' || graph.inputs.every(({ name }) => name === input.name)) return graph
  const own = cut(graph, tap)
  return own.inputs.length < graph.inputs.length ? own : graph
}

/** The graph whose input of pictures says all of its shape that is known. */
function withShape(graph: Graph, { name, channels, channelsLast, height, width, rows }: PictureInput): Graph {
  const info = graph.inputs.find((input) => input.name === name)!
  const type = info.type as Extract<ValueType, { kind: 'tensor' }>
  const sides = [height ?? 'height', width ?? 'width']
  const whole = channelsLast ? [rows ?? 'batch', ...sides, channels] : [rows ?? 'batch', channels, ...sides]
  // Names that the file gives stay.
  const shape = whole.map((size, axis) => {
    const given = type.shape?.[axis]
    return typeof size === 'string' && given ? given : size
  })
  if (`${shape}` === `${type.shape}`) return graph
  const typed = { ...info, type: { ...type, shape } }
  return inferShapes({ ...graph, inputs: graph.inputs.map((input) => (input === info ? typed : input)) })
}

interface Preparation {
  /** Undefined where no size is known. */
  readonly image?: ImagePreprocessing | undefined
  readonly notes: string
}

function preparation(
  graph: Graph,
  files: Pick<ModelFiles, 'label'>,
  { config, preprocessor }: Surroundings,
  input: PictureInput,
  options: ReadOptions,
): Preparation {
  const given = options.card?.image
  const fixed = sizeOf(input.height, input.width)
  const asked = options.size ?? given?.size
  checkAsked(files.label, graph, input, asked)
  const otherwise = asked ?? sizeOf(...sidesOf(config))
  const isBytes = !/float/.test(input.dtype)
  const inner = isBytes ? undefined : innerScale(graph, input.name)
  const bytes = 'The model takes bytes.'
  if (isComplete(given)) {
    const grey = input.channels === 1 && { channels: 1 as const }
    return { image: { ...grey, ...given }, notes: 'Preprocessing as the card says.' }
  }
  const stated = statedPreparation()
  if (stated) {
    const { image, from } = stated
    if (isBytes)
      return { image: { ...image, ...raw(input) }, notes: `Preprocessing as ${from} says. ${bytes}` }
    const isScaled = image.std.some((value) => value > 4 * rawPixels.std)
    if (inner === 'bytes' && isScaled && !given?.std) throw contradiction(files.label, from)
    return { image, notes: `Preprocessing as ${from} says.` }
  }
  const size = fixed ?? otherwise
  if (!size) {
    return {
      notes: 'It takes pictures of any size, and nothing says which: say it with the option size.',
    }
  }
  const unsaid = 'The file says nothing of preprocessing:'
  const usual = { ...imageNet, size }
  if (isBytes)
    return {
      image: { ...usual, ...raw(input) },
      notes: `${bytes} Of their size it says nothing: the middle 87.5 %.`,
    }
  if (inner === 'bytes') {
    return {
      image: { ...usual, ...raw(input) },
      notes: `The model itself scales pixels from 0…255. Of their size it says nothing: the middle 87.5 %.`,
    }
  }
  if (inner === 'signed') {
    return {
      image: { ...usual, ...statistics(input.channels, 0.5, 0.5) },
      notes: 'The model takes pixels from -1…1. Of their size it says nothing: the middle 87.5 %.',
    }
  }
  if (input.channels === 1) {
    const image: ImagePreprocessing = { size, crop: 'squash', interpolation: 'bilinear', ...unit(input) }
    return { image, notes: `${unsaid} grey pixels are scaled to 0…1, the whole picture.` }
  }
  if (inner === 'unit') {
    return {
      image: { ...usual, ...unit(input) },
      notes: 'The model itself normalises pixels from 0…1. Of their size it says nothing: the middle 87.5 %.',
    }
  }
  return { image: usual, notes: `${unsaid} ImageNet's mean and deviation, the middle 87.5 %.` }

  function statedPreparation(): { image: ImagePreprocessing; from: string } | undefined {
    const { channels } = input
    if (preprocessor) {
      const taken = fixed ?? asked
      const image = preprocessorOf(files, preprocessor, { taken, otherwise, channels })
      return { image, from: preprocessor.path }
    }
    if (!isObject(config['pretrained_cfg'])) return undefined
    const { image } = readTimmConfig(files, config)
    const own = image.channels ?? 3
    return own === channels
      ? { image: { ...image, size: fixed ?? asked ?? image.size }, from: 'config.json' }
      : undefined
  }
}

const raw = ({ channels }: PictureInput) => statistics(channels, rawPixels.mean, rawPixels.std)
const unit = ({ channels }: PictureInput) => statistics(channels, 0, 1)

function statistics(
  channels: 1 | 3,
  mean: number,
  std: number,
): Pick<ImagePreprocessing, 'channels' | 'mean' | 'std'> {
  return channels === 1
    ? { channels, mean: [mean], std: [std] }
    : { mean: [mean, mean, mean], std: [std, std, std] }
}

/** Refuses a size that the graph does not take, or of which its patches would leave a border out. */
function checkAsked(label: string, graph: Graph, input: PictureInput, asked: Size | undefined): void {
  if (!asked) return
  const sides = [input.height, input.width]
  if (sides.some((side, i) => side !== undefined && side !== asked[i])) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${label} is not built for other sizes; it takes pictures of ${sides.map((side) => side ?? 'any').join(' × ')}.`,
      {
        input: 'size',
        hint: 'Leave out size, or open a checkpoint (safetensors, PyTorch) of an image model, which is built for any.',
      },
    )
  }
  const patch = sides.includes(undefined) ? patchSize(graph, input.name) : undefined
  if (patch?.some((side, i) => asked[i]! % side !== 0)) {
    throw new PipiloError(
      'OPTION_INVALID',
      `${label} cannot take pictures of ${asked.join(' × ')}: its patches are of ${patch.join(' × ')}.`,
      { input: 'size', hint: 'Choose sides that are whole numbers of patches.' },
    )
  }
}

/** Sides as a `config.json` of transformers or timm says them. */
function sidesOf(config: Readonly<Record<string, unknown>>): [unknown, unknown] {
  const vision = isObject(config['vision_config']) ? config['vision_config'] : config
  const [height, width = height] = [vision['image_size'] ?? vision['img_size']].flat()
  return [height, width]
}

function sizeOf(height: unknown, width: unknown): Size | undefined {
  return typeof height === 'number' && typeof width === 'number' ? [height, width] : undefined
}

function contradiction(label: string, from: string): PipiloError {
  return new PipiloError(
    'MODEL_INVALID',
    `${label} scales pixels from 0…255 by itself, and ${from} says that they are scaled before.`,
    {
      input: label,
      hint: 'Say what it takes: card: { image: { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] } } for bytes, or the mean and std that are right.',
    },
  )
}

/** Height and width of the pictures that a graph takes; 224 where it takes any. */
export function pictureSize(graph: Graph): Size {
  const { height = 224, width = 224 } = findPictureInput(graph, true) ?? {}
  return [height, width]
}
