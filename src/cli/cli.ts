// Runs the command `pipilo`: finds the subcommand, and turns errors into messages and exit codes.
import type { CommandDef } from 'citty'
import { renderUsage } from 'citty'
import { fileError } from '../base/files/index.ts'
import { closest, PipiloError } from '../base/index.ts'
import { type Command, helpOf, parseArguments, type Terminal, usageError } from './command.ts'
import { version } from './ownFiles.ts'

/** Subcommands, loaded when they are called: `pipilo --help` loads none of what they need. */
export const commands: Record<string, () => Promise<Command>> = {
  demo: async () => (await import('./commands/demo.ts')).demo,
  embed: async () => (await import('./commands/embed.ts')).embed,
  index: async () => (await import('./commands/index.ts')).index,
  search: async () => (await import('./commands/search.ts')).search,
  collections: async () => (await import('./commands/collections.ts')).collections,
  attribute: async () => (await import('./commands/attribute.ts')).attributeCommand,
  inspect: async () => (await import('./commands/inspect.ts')).inspect,
  export: async () => (await import('./commands/export.ts')).exportCommand,
  train: async () => (await import('./commands/train.ts')).trainCommand,
  evaluate: async () => (await import('./commands/evaluate.ts')).evaluateCommand,
  compare: async () => (await import('./commands/compare.ts')).compareCommand,
  project: async () => (await import('./commands/project.ts')).project,
  duplicates: async () => (await import('./commands/duplicates.ts')).duplicatesCommand,
  serve: async () => (await import('./commands/serve.ts')).serveCommand,
  models: async () => (await import('./commands/models.ts')).models,
}

async function root(): Promise<CommandDef> {
  const described = await Promise.all(Object.values(commands).map((load) => load()))
  return {
    meta: {
      name: 'pipilo',
      version: version(),
      description: 'Embeddings of text and pictures: any model, any layer, indexed and searched.',
    },
    subCommands: Object.fromEntries(
      described.map(({ name, description }) => [name, { meta: { name, description } }]),
    ),
  }
}

async function dispatch(argv: readonly string[], terminal: Terminal): Promise<void> {
  const [name, ...rest] = argv
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const usage = await renderUsage(await root())
    if (name === undefined) throw usageError(`${usage}\n\nWhich command?`)
    return terminal.out(`${usage}\n`)
  }
  if (name === '--version' || name === '-v') return terminal.out(`${version()}\n`)
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!load) {
    const near = closest(name, Object.keys(commands))
    throw usageError(
      `pipilo has no command ${JSON.stringify(name)}.`,
      near.length ? `Did you mean ${near.join(' or ')}? See pipilo --help.` : 'See pipilo --help.',
    )
  }
  const found = await load()
  const end = rest.indexOf('--')
  if ((end < 0 ? rest : rest.slice(0, end)).some((word) => word === '--help' || word === '-h')) {
    return terminal.out(await helpOf(found, { meta: { name: 'pipilo' } }))
  }
  await found.run(parseArguments(found, rest), terminal)
}

/**
 * Runs the command line and sets the exit status: 0, 1 for an error, 2 for wrong usage, 130 after Ctrl-C.
 *
 * @example
 * ```ts
 * await runCli(['embed', '--text', 'football'])
 * ```
 */
export async function runCli(argv: readonly string[]): Promise<void> {
  const controller = new AbortController()
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(130)
    controller.abort()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  // A reader that has seen enough (`| head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    // Whoever has written is told by `out`.
    process.exitCode = 1
  })
  const terminal: Terminal = {
    out: (text) =>
      new Promise((resolve, reject) => {
        process.stdout.write(text, (error) => {
          if (error) reject(fileError(error, 'standard output', 'write'))
          else resolve()
        })
      }),
    err: (text) => void process.stderr.write(text),
    interactive: process.stderr.isTTY === true,
    width: process.stderr.columns ?? 80,
    signal: controller.signal,
  }
  try {
    await dispatch(argv, terminal)
  } catch (error) {
    // A state that could not be kept is worth more words than the wish to stop.
    const isLost = error instanceof PipiloError && error.code === 'WRITE_FAILED'
    if (controller.signal.aborted && !isLost) {
      terminal.err('pipilo: stopped\n')
      process.exitCode = 130
    } else {
      terminal.err(`${describe(error)}\n`)
      process.exitCode = error instanceof PipiloError && error.code === 'USAGE' ? 2 : 1
    }
  } finally {
    process.off('SIGINT', interrupt)
    process.off('SIGTERM', interrupt)
  }
}

const isOutOfMemory = (error: unknown): boolean =>
  error instanceof Error &&
  /out of memory|allocation failed|invalid (?:typed )?array length|cannot allocate|bad_alloc|ERR_MEMORY/i.test(
    `${'code' in error ? error.code : ''} ${error.message}`,
  )

function describe(error: unknown): string {
  if (error instanceof PipiloError) {
    return error.code === 'USAGE' ? `pipilo: ${error.message}` : `pipilo: ${error.message} [${error.code}]`
  }
  if (isOutOfMemory(error)) {
    const { message } = error as Error
    return `pipilo: There is not enough memory (${message}): take fewer or smaller inputs at a time, or a smaller model. [RUNTIME]`
  }
  // Ours to mend: the stack says where.
  return `pipilo: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`
}
