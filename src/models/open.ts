// Opens a model by its name: a card, a source, or an architecture of timm or torchvision.
import { expandHome } from '../base/files/index.ts'
import { closest, PipiloError } from '../base/index.ts'
import { cards, cardsHint, findCard } from './cards/cards.ts'
import type { ModelFiles } from './files.ts'
import { fileEnding } from './model/precisions.ts'
import { checkModelName, checkOpenOptions } from './openOptions.ts'
import { kindOf } from './sources/files.ts'
import { parseSource, resolveSource, type Source } from './sources/sources.ts'
import type { Model, OpenOptions } from './types.ts'

/** See `open` in onDemand.ts. */
export async function open(name: string, options: OpenOptions = {}): Promise<Model> {
  checkModelName(name)
  checkOpenOptions(options)
  const model = await (await reader(name, options))()
  const { dtype = 'fp32' } = options
  if (dtype === 'fp32' || fileEnding(dtype) !== undefined) return model
  const { inPrecision } = await import('./model/precision.ts')
  return inPrecision(model, dtype)
}

/** See `openForTraining` in onDemand.ts. */
export async function openForTraining(
  name: string,
  options: Omit<OpenOptions, 'dtype'> = {},
): Promise<{ model: Model; training: Model }> {
  checkModelName(name)
  const read = await reader(name, options)
  return { model: await read(), training: await read('training') }
}

/** Looks the name up; what it gives reads the model, in the form that is asked for. */
async function reader(name: string, options: OpenOptions): Promise<(mode?: 'training') => Promise<Model>> {
  const known = findCard(name)
  const { source, files } = await locate(known?.source ?? name, options)
  // Graphs and architectures are loaded when a model is read, so that the package itself is there at once.
  const { assemble } = await import('./model/assemble.ts')
  const identity = { name, source: sourceName(source) }
  const { size, ...rest } = options
  const reading = { ...rest, ...(size !== undefined && { size: sizeOf(size) }), openOther: open }
  return (mode) => assemble(files, identity, known, { ...reading, ...(mode && { mode }) })
}

/** Height and width of a size; what is none is refused when the model is read. */
function sizeOf(size: NonNullable<OpenOptions['size']>): readonly [height: number, width: number] {
  return typeof size === 'number' ? [size, size] : size
}

interface Located {
  readonly source: Source
  readonly files: ModelFiles
}

async function locate(name: string, options: OpenOptions): Promise<Located> {
  const source = parseSource(name)
  if (source) return { source, files: await resolveSource(source, options) }
  if ((await kindOf(name)) !== undefined) return locate(expandHome(name), options)
  if (name.includes('/')) return locateOnHub([name], name, options)
  const timm = await timmRepository(name)
  if (timm !== undefined) return locateOnHub([timm], name, options)
  return locateOnHub([`sentence-transformers/${name}`, name], name, options)
}

/**
 * The repository of timm's weights for a name of timm's, with its tag or the default one.
 *
 * @throws PipiloError `MODEL_UNKNOWN` for an architecture of which there are no weights
 */
async function timmRepository(name: string): Promise<string | undefined> {
  const [architecture = '', ...tag] = name.split('.')
  const { timmTags } = await import('./layouts/timmTags.ts')
  if (tag.length > 0) {
    return (await architectures()).includes(architecture) || tagOf(timmTags, architecture) !== undefined
      ? `timm/${name}`
      : undefined
  }
  const usual = tagOf(timmTags, architecture)
  if (usual !== undefined) return `timm/${architecture}.${usual}`
  if (!(await architectures()).includes(architecture)) return undefined
  throw new PipiloError('MODEL_UNKNOWN', `timm publishes no weights for the architecture '${name}'.`, {
    input: name,
    hint: `Name a checkpoint, as in open('file:weights.pth', { architecture: '${name}' }).`,
  })
}

function tagOf(tags: Readonly<Record<string, readonly string[]>>, architecture: string): string | undefined {
  return Object.keys(tags).find((tag) => tags[tag]!.includes(architecture))
}

/** Names of architectures, which need the graphs' builders, so that they are loaded when one is looked for. */
async function architectures(): Promise<string[]> {
  return (await import('./layouts/architectures.ts')).knownNames()
}

/**
 * Tries names on the hub. A word that nothing local has is unknown, whatever the network says; `owner/name` and timm's names
 * can only be the hub's, so there a missing network is the error.
 */
async function locateOnHub(
  candidates: readonly string[],
  name: string,
  options: OpenOptions,
): Promise<Located> {
  const reasons: string[] = []
  let last: unknown
  for (const candidate of candidates) {
    try {
      const source = parseSource(`hf:${candidate}`)
      if (source) return { source, files: await resolveSource(source, options) }
    } catch (error) {
      last = error
      const code = error instanceof PipiloError ? error.code : undefined
      const isWord = candidates.length > 1
      reasons.push(`hf:${candidate}: ${error instanceof PipiloError ? error.message : error}`)
      if (code === 'MODEL_UNKNOWN' || (code === 'OFFLINE' && isWord)) continue
      if (code === 'INPUT_INVALID' || (code === 'NETWORK' && isWord)) break
      throw error
    }
  }
  throw new PipiloError(
    'MODEL_UNKNOWN',
    `No card, file or folder is called '${name}'. Tried ${reasons.join('; ')}`,
    {
      input: name,
      hint: await nameHint(name),
      cause: last,
    },
  )
}

/** The names of cards and architectures nearest to `name`. */
async function nameHint(name: string): Promise<string> {
  const { timmTags } = await import('./layouts/timmTags.ts')
  const names = [
    ...cards().map((card) => card.name),
    ...(await architectures()),
    ...Object.values(timmTags).flat(),
  ]
  const near = closest(name, names, 5)
  return near.length ? `Closest: ${near.join(', ')}.` : cardsHint(name)
}

/** A source as one writes it. */
function sourceName(source: Source): string {
  switch (source.kind) {
    case 'npm':
      return `npm:${source.specifier}`
    case 'file':
      return `file:${source.path}`
    case 'url':
      return source.url
    case 'hub':
      return `hf:${source.name}${source.revision ? `@${source.revision.replaceAll('/', '%2F')}` : ''}${source.file ? `/${source.file}` : ''}`
  }
}
