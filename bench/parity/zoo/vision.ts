/** Builds what `vits.py` and `cnn.py` ask for, one request a line, and answers how far its numbers are from the reference. */
import { join } from 'node:path'
import { cut, type Initializer, resolveLayer } from '../../../src/graph/index.ts'
import { readSafetensors } from '../../../src/models/index.ts'
import { findCnn } from '../../../src/nn/cnn/cnnArchitectures.ts'
import type { BuildOptions, BuiltModel } from '../../../src/nn/index.ts'
import { buildClip } from '../../../src/nn/towers/clip.ts'
import { visionArchitectures } from '../../../src/nn/vit/vitArchitectures.ts'
import { findVit } from '../../../src/nn/vit/vitNames.ts'
import { compile } from '../../../src/runtime/index.ts'
import type { Tensor } from '../../../src/tensor/index.ts'
import { answerLines, compareAll, expectAllUsed, readTensor, withoutNumbers } from './compare.ts'

type Shapes = Readonly<Record<string, readonly number[]>>
type Config = Readonly<Record<string, unknown>>

interface Request {
  /** Folder of model.safetensors and values.safetensors: inputs by name, and outputs behind `expected.`. */
  readonly folder: string
  readonly kind: 'named' | 'transformers' | 'clip'
  readonly name: string
  /** Every tensor of the whole model. */
  readonly shapes?: Shapes
  /** Changes of the reduced model, or the configuration of transformers. */
  readonly config?: Config
  readonly size?: readonly [number, number]
  /** Name, stride and channels. */
  readonly stages?: readonly (readonly [string, number, number])[]
  readonly tower?: 'text' | 'image'
  /** Expected factor of the cosines. */
  readonly scale?: number
  /** A model of two towers that was reduced, as it was. */
  readonly whole?: { readonly config: Config; readonly shapes: Shapes }
}

const EXPECTED = 'expected.'

async function answer(request: Request) {
  const { folder, stages } = request
  checkShapes(request)
  const { tensors } = await readSafetensors(join(folder, 'model.safetensors'))
  const built = build(request, tensors)
  expectAllUsed(built)
  if (stages) {
    const own = JSON.stringify(built.stages?.map(({ name, stride, channels }) => [name, stride, channels]))
    if (own !== JSON.stringify(stages)) throw new Error(`stages ${own} for ${JSON.stringify(stages)}`)
  }
  const feeds: Record<string, Tensor> = {}
  const expected = new Map<string, Tensor>()
  for (const [name, tensor] of (await readSafetensors(join(folder, 'values.safetensors'))).tensors) {
    if (name.startsWith(EXPECTED)) expected.set(name.slice(EXPECTED.length), readTensor(tensor))
    else feeds[name] = readTensor(tensor)
  }
  const places = new Map([...expected.keys()].map((name) => [name, placeOf(built, name)]))
  const graph = cut(built.graph, [...new Set(places.values())], { keepInputs: true })
  const session = await compile(graph, { workers: 0, threads: 1, cacheDir: join(folder, 'cache') })
  try {
    const results = await session.run(feeds)
    return compareAll(expected, (name) => results[places.get(name)!]!)
  } finally {
    await session.dispose()
  }
}

function build(request: Request, tensors: ReadonlyMap<string, Initializer>): BuiltModel {
  const { kind, name, config = {}, size, tower } = request
  const options = size ? { size } : {}
  if (kind === 'named') return buildNamed(name, tensors, config, options)
  if (kind !== 'clip') return visionArchitectures[name]!(config, tensors, options)
  const towers = buildClip(config, tensors, options)
  const { scale } = request
  if (scale !== undefined && Math.abs(towers.logitScale - scale) > 1e-5 * scale) {
    throw new Error(`logit scale ${towers.logitScale}, not ${scale}`)
  }
  return towers[tower!]
}

/** By timm's or torchvision's name. */
function buildNamed(
  name: string,
  tensors: ReadonlyMap<string, Initializer>,
  config: Config = {},
  options: BuildOptions = {},
): BuiltModel {
  const find = findCnn(name, config) ?? findVit(name, config)
  if (!find) throw new Error('unknown')
  return find(tensors, options)
}

/** The whole model asks for every tensor by its name and shape. */
function checkShapes({ kind, name, shapes, whole }: Request): void {
  const all = whole?.shapes ?? shapes
  if (!all) return
  const tensors = withoutNumbers(all)
  expectAllUsed(kind === 'named' ? buildNamed(name, tensors) : buildClip(whole?.config, tensors).image)
}

function placeOf(built: BuiltModel, output: string): string {
  if (output.startsWith('layer:')) return resolveLayer(built.graph, output.slice('layer:'.length))
  const named = (built as unknown as Record<string, string | undefined>)[output]
  return named ?? resolveLayer(built.graph, output)
}

await answerLines(answer)
