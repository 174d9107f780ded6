// Command `collections`: lists, shows and deletes the collections of a database.
import { PipiloError } from '../../base/index.ts'
import { type Collection, connect, type Field, type Store } from '../../store/index.ts'
import { command, usageError } from '../command.ts'
import { database } from '../modelOptions.ts'
import { megabytes } from '../progress.ts'
import { table } from '../table.ts'

export const collections = command({
  name: 'collections',
  description: 'List the collections of a database, show one, or delete one',
  examples: [
    'pipilo collections',
    'pipilo collections show texts --json',
    'pipilo collections delete texts --yes',
  ],
  args: {
    action: { type: 'positional', required: false, description: 'list (default), show or delete' },
    name: { type: 'positional', required: false, description: 'Collection to show or delete' },
    db: database,
    yes: { type: 'boolean', description: 'Delete it: its rows cannot be brought back' },
    json: { type: 'boolean', description: 'Print [{ "name", "model", "rows", "bytes", "fields", … }]' },
  },
  async run({ _: words, db, yes, json }, terminal) {
    const [action = 'list', name, ...more] = words
    if (
      !['list', 'show', 'delete'].includes(action) ||
      more.length > 0 ||
      (action === 'list') !== (name === undefined)
    ) {
      throw usageError(
        `pipilo collections does not know ${JSON.stringify(words.join(' '))}.`,
        'It takes nothing, or: show NAME, delete NAME --yes.',
      )
    }
    const store = await connect(db)
    try {
      const print = (value: unknown, text: string) =>
        terminal.out(`${json ? JSON.stringify(value, null, action === 'delete' ? 0 : 2) : text}\n`)
      if (name === undefined) {
        const [all, damaged] = await everything(store)
        if (all.length > 0 || damaged.length === 0) await print(all, listed(all, db))
        for (const { message } of damaged.slice(1)) terminal.err(`pipilo: ${message}\n`)
        if (damaged.length > 0) throw damaged[0]
      } else if (action === 'show') {
        const found = await about(store, name)
        await print(found, shown(found))
      } else {
        // A damaged one can be deleted, too.
        const rows = await about(store, name).then(
          (found) => found.rows,
          (error: unknown) => {
            if (error instanceof PipiloError && error.code === 'STORE_FAILED') return null
            throw error
          },
        )
        const count = `${rows ?? 'unreadable'} rows`
        if (!yes)
          throw usageError(`This would delete ${name} with its ${count} for good.`, 'Say --yes to do it.')
        await store.drop(name)
        await print({ deleted: name, rows }, `${name}: deleted, ${count}`)
      }
    } finally {
      await store.close()
    }
  },
})

/** All collections that can be read, and what is wrong with the others. */
async function everything(store: Store): Promise<[About[], PipiloError[]]> {
  const all: About[] = []
  const damaged: PipiloError[] = []
  for (const name of await store.list()) {
    try {
      all.push(await about(store, name))
    } catch (error) {
      if (!(error instanceof PipiloError)) throw error
      damaged.push(error)
    }
  }
  return [all, damaged]
}

interface About {
  readonly name: string
  readonly model: string | null
  readonly taps: readonly string[] | null
  readonly dimensions: number
  readonly rows: number
  readonly bytes: number
  readonly fields: readonly Field[]
  readonly recipe: Collection['recipe'] | null
}

async function about(store: Store, name: string): Promise<About> {
  const collection = await store.collection(name)
  try {
    const { recipe, identity, dimensions } = collection
    return {
      name,
      model: recipe?.source.name ?? identity?.model ?? null,
      taps: recipe?.taps ?? identity?.tap.split(',') ?? null,
      dimensions,
      rows: await collection.count(),
      bytes: await collection.bytes(),
      fields: await collection.fields(),
      recipe: recipe ?? null,
    }
  } finally {
    await collection.close()
  }
}

const sizeOf = (bytes: number): string => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : megabytes(bytes))

function listed(all: readonly About[], db: string): string {
  if (all.length === 0) return `There is no collection in ${db}; pipilo index makes one.`
  return table(
    [
      { heading: 'name', limit: 40 },
      { heading: 'model', limit: 40 },
      { heading: 'dimensions', align: 'right' },
      { heading: 'rows', align: 'right' },
      { heading: 'size', align: 'right' },
      { heading: 'fields', limit: 60 },
    ],
    all.map(({ name, model, dimensions, rows, bytes, fields }) => [
      name,
      model ?? '',
      String(dimensions),
      String(rows),
      sizeOf(bytes),
      fields.map((field) => field.name).join(', '),
    ]),
  )
}

function shown({ name, model, taps, dimensions, rows, bytes, fields, recipe }: About): string {
  const facts = [
    ['name', name],
    ['model', model ?? 'not known: it was made from a length alone'],
    ['layer', taps?.join(', ') ?? ''],
    ['pooling', recipe?.pool ?? ''],
    ['precision', recipe?.dtype ?? ''],
    ['dimensions', String(dimensions)],
    ['rows', String(rows)],
    ['size', sizeOf(bytes)],
    ...fields.map((field) => [`field ${field.name}`, field.types.join(' or ') || 'always null']),
  ].filter(([, value]) => value !== '')
  return table([{ heading: 'what' }, { heading: 'is' }], facts as string[][])
}
