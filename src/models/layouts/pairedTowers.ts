// Reads pairs: a model of texts as it is, and a network of pictures that was trained towards its vectors.
import { PipiloError } from '../../base/index.ts'
import { Builder, cut, type Graph, type Initializer, loadTensor, widened } from '../../graph/index.ts'
import { linear, parametersFrom } from '../../nn/index.ts'
import { type ModelFiles, readJsonObject } from '../files.ts'
import { fingerprint } from '../model/fingerprint.ts'
import { bothEmbeds, embeds, joinTowers, logitTensors } from '../model/joinTowers.ts'
import type { FolderContents, FoundModel, ReadOptions } from './foundModel.ts'
import { readLicence } from './licence.ts'
import { lastSize } from './onnxOutputs.ts'
import { refuseUnused } from './unused.ts'

/** `model_type` of the `config.json` of a pair. */
export const PAIR = 'pipilo_pair'

/** Content of a pair's `config.json`. */
interface PairConfig {
  /** The model of texts, by the name that `open` takes, but no place on this machine. */
  readonly text: string
  /** Sub-folder of the network of pictures; its output is in the common space. */
  readonly image: string
}

/** The configuration of a pair, or undefined if the folder holds something else. */
export async function findPair(files: ModelFiles): Promise<PairConfig | undefined> {
  if (!(await files.has('config.json'))) return undefined
  const { model_type: type, text, image } = await readJsonObject(files, 'config.json')
  if (type !== PAIR) return undefined
  const isName = typeof text === 'string' && !/^(file:|[./~\\]|[a-z]:)/i.test(text)
  const isFolder = typeof image === 'string' && /^\w[\w-]*$/.test(image)
  if (isName && isFolder) return { text, image }
  throw new PipiloError('MODEL_INVALID', `${files.label} is a pair whose config.json names no two towers.`, {
    input: files.label,
    hint: 'It has text, the name of a model (npm:…, hf:… or a card), and image, a sub-folder.',
  })
}

/**
 * Reads a pair: beside `config.json` (see {@link PairConfig}) lies `model.safetensors` with `text_projection.weight` [features, text's features],
 * which leads the embeddings of the model of texts into the space of the pictures, and `logit_scale`. Weights of the model of texts stay in
 * its own package or repository.
 *
 * @param readSub reads a model as `readModel`, for the sub-folder
 * @throws PipiloError `MODEL_INVALID`, and those of reading both models
 */
export async function readPair(
  files: ModelFiles,
  config: PairConfig,
  { readTensors }: FolderContents,
  options: ReadOptions,
  readSub: (files: ModelFiles, options: ReadOptions) => Promise<FoundModel>,
): Promise<FoundModel> {
  const { openOther } = options
  if (!openOther) {
    throw new PipiloError(
      'MODEL_INVALID',
      `${files.label} is a pair, whose other model cannot be opened here.`,
      {
        input: files.label,
        hint: 'open() opens both.',
      },
    )
  }
  const text = await openOther(config.text)
  if (text.modality !== 'text') {
    throw new PipiloError(
      'MODEL_INVALID',
      `${config.text}, for the texts of ${files.label}, is no model of texts.`,
      {
        input: config.text,
      },
    )
  }
  const { card: _, architecture: __, ...inherited } = options
  const pictures = await readSub(within(files, config.image), inherited)
  const { tensors, paths } = await readTensors('model.safetensors')
  const builder = Builder.from(text.embedding(), { outputs: 'clear' })
  const width = sizeOf('text_projection.weight', tensors, files)
  const parameters = parametersFrom(builder, tensors)
  const vectors = builder.value('embedding')
  builder.output(embeds.text, linear(parameters, 'text_projection', vectors, width, { bias: false }))
  const unused = parameters.unused().filter((name) => name !== 'logit_scale')
  if (options.strict ?? true) refuseUnused(unused, files.label, PAIR)
  const towers = { text: builder.build(), image: withImageEmbeds(pictures, width, files) }
  const scale = tensors.get('logit_scale')
  const logitScale = scale
    ? Math.exp(Number((widened(await loadTensor(scale)).data as Float32Array)[0]))
    : 1 / 0.07
  const { text: texts } = text.card
  const { image } = pictures.card
  return {
    graph: joinTowers(towers.text, towers.image, logitTensors(logitScale, undefined, tensors)),
    towers: {
      text: { graph: towers.text, places: undefined },
      image: { graph: towers.image, places: pictures.places },
    },
    unused,
    tokenizer: text.tokenizer,
    fingerprint: await fingerprint(
      [PAIR, JSON.stringify(config), text.fingerprint, pictures.fingerprint],
      files,
      paths,
    ),
    card: {
      description: `pictures beside ${config.text}, of ${files.label}`,
      modality: 'text-image',
      licence: await readLicence(files),
      tap: bothEmbeds,
      pool: 'mean',
      normalize: true,
      dimensions: width,
      ...(texts && { text: texts }),
      ...(image && { image }),
      logitScale,
    },
  }
}

function sizeOf(name: string, tensors: ReadonlyMap<string, Initializer>, { label }: ModelFiles): number {
  const size = tensors.get(name)?.shape[0]
  if (size !== undefined) return Number(size)
  throw new PipiloError('PARAMETER_MISSING', `${label} has no ${name}.`, { input: name })
}

/** The network with its output as `image_embeds`. */
function withImageEmbeds({ graph }: FoundModel, width: number, { label }: ModelFiles): Graph {
  const [output] = graph.outputs
  if (!output || lastSize(output) !== width) {
    const given = output && lastSize(output)
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `The pictures of ${label} give ${given ?? 'no'} numbers, its texts ${width}.`,
      { input: label },
    )
  }
  const builder = Builder.from(cut(graph, output.name), { outputs: 'clear' })
  builder.output(embeds.image, builder.value(output.name))
  return builder.build()
}

/** The files of a sub-folder. */
function within(files: ModelFiles, folder: string): ModelFiles {
  const inside = (path: string) => `${folder}/${path}`
  return {
    ...files,
    label: `${files.label}/${folder}`,
    file: undefined,
    list: (path) => files.list(path === '' ? folder : inside(path)),
    has: (path) => files.has(inside(path)),
    get: (path) => files.get(inside(path)),
    // Paths of tensors that stay in their files are absolute.
    open: (path, use) => files.open(isAbsolute(path) ? path : inside(path), use),
    graph: (path) => files.graph(inside(path)),
  }
}

const isAbsolute = (path: string): boolean => /^([/\\]|[a-z]:[/\\])/i.test(path)
