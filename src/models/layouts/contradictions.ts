// Finds where a checkpoint's tensors contradict its configuration, for errors that say so.
import { PipiloError } from '../../base/index.ts'
import type { Graph, Initializer } from '../../graph/index.ts'
import { isObject } from '../files.ts'

type Config = Readonly<Record<string, unknown>>
type Tensors = ReadonlyMap<string, Initializer>

/** Names in configurations of the number of blocks and of the width of tokens. */
const depths = ['num_hidden_layers', 'n_layers', 'depth']
const widths = ['hidden_size', 'embed_dim', 'dim']

/** Patterns of the number of a block in a tensor's name (in DINOv2 behind that of its chunk), and of those of stage and block. */
const block =
  /^(?!.*stages?\.)(?:.*?\.)?(?:layers?\.|encoder_layer_|blocks\.(?:\d+\.(?=\d+\.norm1\.))?)(\d+)\./
const stagedBlock = /^(?:.*?\.)?(?:stages?\.|layers\.|layer)(\d+)\.(?:blocks\.)?(\d+)\./

/**
 * The error of a checkpoint that does not fit, with what the configuration says and the tensors contradict: depth, width,
 * vocabulary, patches.
 */
export function explained(error: unknown, label: string, config: Config, tensors: Tensors): unknown {
  if (!(error instanceof PipiloError)) return error
  if (!['PARAMETER_MISSING', 'PARAMETER_UNUSED', 'SHAPE_MISMATCH'].includes(error.code)) return error
  const found = [...depthOf(config, tensors), ...stagesOf(config, tensors), ...sizesOf(config, tensors)]
  if (found.length === 0) return error
  const { code, hint, message, input = label } = error
  const complaint = hint ? message.slice(0, -hint.length - 1) : message
  return new PipiloError(
    code,
    `The configuration of ${label} contradicts its tensors: ${found.join('; ')}. ${complaint}`,
    { input, hint: 'Check that the configuration belongs to these weights.', cause: error },
  )
}

/**
 * Refuses a configuration that names another number of classes than the classifier has.
 *
 * @throws PipiloError `SHAPE_MISMATCH`
 */
export function checkClasses(graph: Graph, label: string, stated: Config): void {
  const logits = graph.outputs.find(({ name }) => name === 'logits')?.type
  const found = logits?.kind === 'tensor' ? logits.shape?.at(-1) : undefined
  const [name, count] = classesOf(stated)
  if (typeof found !== 'number' || typeof count !== 'number' || count <= 0 || count === found) return
  throw new PipiloError(
    'SHAPE_MISMATCH',
    `The configuration of ${label} contradicts its tensors: ${name} is ${count}, and the classifier tells ${found} classes apart.`,
    { input: label, hint: 'Check that the configuration belongs to these weights.' },
  )
}

function classesOf(stated: Config): readonly [name: string, count: unknown] {
  const { num_classes, num_labels, id2label, pretrained_cfg } = stated
  if (num_classes !== undefined) return ['num_classes', num_classes]
  if (isObject(pretrained_cfg)) return ['num_classes', pretrained_cfg['num_classes']]
  if (num_labels !== undefined) return ['num_labels', num_labels]
  return ['the size of id2label', isObject(id2label) ? Object.keys(id2label).length : undefined]
}

function depthOf(config: Config, tensors: Tensors): string[] {
  const name = depths.find((key) => typeof config[key] === 'number')
  if (name === undefined) return []
  const numbers = [...tensors.keys()].flatMap((key) => block.exec(key)?.[1] ?? [])
  const found = Math.max(-1, ...numbers.map(Number)) + 1
  return found === 0 || found === config[name]
    ? []
    : [`${name} is ${config[name]}, and they hold ${found} blocks`]
}

function stagesOf(config: Config, tensors: Tensors): string[] {
  const name = ['depths', 'layers'].find((key) => Array.isArray(config[key]))
  if (name === undefined) return []
  const found = new Map<number, number>()
  for (const key of tensors.keys()) {
    const [, stage, number] = stagedBlock.exec(key) ?? []
    if (stage !== undefined) found.set(+stage, Math.max(found.get(+stage) ?? 0, Number(number) + 1))
  }
  const counts = [...found].sort(([a], [b]) => a - b).map(([, count]) => count)
  const stated = config[name] as readonly unknown[]
  if (counts.length === 0 || `${counts}` === `${stated}`) return []
  return [`${name} are ${stated.join(', ')}, and they hold ${counts.join(', ')} blocks`]
}

function sizesOf(config: Config, tensors: Tensors): string[] {
  const differs = (name: string | undefined, found: unknown, what: string): string[] => {
    const stated = name === undefined ? undefined : config[name]
    return typeof stated !== 'number' || typeof found !== 'number' || stated === found
      ? []
      : [`${name} is ${stated}, and ${what} ${found}`]
  }
  const shapeOf = (pattern: RegExp) => [...tensors].find(([name]) => pattern.test(name))?.[1].shape
  const words = shapeOf(/(?:^|\.)(?:word_embeddings|tok_embeddings|embed_tokens)\.weight$/)
  const patches = shapeOf(/(?:^|\.)(?:patch_embed\.proj|conv_proj|patch_embeddings\.projection)\.weight$/)
  const width = widths.find((key) => typeof config[key] === 'number')
  return [
    ...differs(width, words?.[1] ?? patches?.[0], 'the embeddings have'),
    ...differs('vocab_size', words?.[0], 'the words are'),
    ...differs('patch_size', patches?.[2], 'the patches have'),
  ]
}
