// Definition of a subcommand, and the reading of its arguments.
import { type ArgsDef, type CommandDef, type ParsedArgs, parseArgs as parse, renderUsage } from 'citty'
import { closest, onAbort, PipiloError } from '../base/index.ts'

/** Streams to write to and the signal to stop, given to a command beside its arguments. */
export interface Terminal {
  /** Writes to standard output; resolves when the reader has room for more. */
  out(text: string): Promise<void>
  /** Writes to standard error. */
  err(text: string): void
  /** Draws on standard error when that is a terminal, and nothing elsewhere. */
  readonly interactive: boolean
  /** Columns of the terminal. */
  readonly width: number
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal
}

/** A subcommand: its description and arguments, and what it does. */
export interface Command<Args extends ArgsDef = ArgsDef> {
  readonly name: string
  readonly description: string
  readonly examples: readonly string[]
  readonly args: Args
  /** Options that may be given several times: their values come joined by commas. */
  readonly repeats?: readonly string[]
  /** A list that the help text ends with: its title, and rows of a name and what it means. */
  readonly list?: { readonly title: string; rows(): readonly (readonly [name: string, meaning: string])[] }
  run(args: ParsedArgs<Args>, terminal: Terminal): Promise<void>
}

/** Gives a command's `run` the types of its own arguments. */
export const command = <const Args extends ArgsDef>(definition: Command<Args>): Command =>
  definition as unknown as Command

export const usageError = (sentence: string, hint?: string): PipiloError =>
  new PipiloError('USAGE', sentence, hint ? { hint } : {})

const flagsOf = (args: ArgsDef): Map<string, ArgsDef[string]> => {
  const flags = new Map<string, ArgsDef[string]>()
  for (const [name, definition] of Object.entries(args)) {
    if (definition.type === 'positional') continue
    flags.set(`--${name}`, definition)
    if (definition.type === 'boolean') flags.set(`--no-${name}`, definition)
    const alias = 'alias' in definition ? definition.alias : undefined
    for (const short of [alias ?? []].flat())
      flags.set(short.length === 1 ? `-${short}` : `--${short}`, definition)
  }
  return flags
}

/** Options that may be given several times in every command. */
const repeatable = ['--input']

/**
 * Parses strictly: an option that the command does not know, or one without its value, is an error.
 * (citty itself lets unknown options pass.)
 */
export function parseArguments(definition: Command, raw: readonly string[]): ParsedArgs {
  const flags = flagsOf(definition.args)
  const repeated = new Map<string, string[]>()
  for (let i = 0; i < raw.length; i++) {
    const word = raw[i]!
    if (word === '--') break
    if (!word.startsWith('-') || word === '-') continue
    const [flag, value] = word.split(/=(.*)/s, 2) as [string, string | undefined]
    const known = flags.get(flag)
    if (!known) {
      const near = closest(flag, [...flags.keys()])
      throw usageError(
        `pipilo ${definition.name} has no option ${flag}.`,
        near.length ? `Did you mean ${near.join(' or ')}?` : `See pipilo ${definition.name} --help.`,
      )
    }
    if (known.type === 'boolean') {
      if (value !== undefined) throw usageError(`${flag} takes no value.`)
    } else if (value === undefined) {
      const next = raw[++i]
      if (next === undefined || (next.startsWith('--') && flags.has(next))) {
        throw usageError(`${flag} needs a value.`)
      }
    }
    if (repeatable.includes(flag) || definition.repeats?.includes(flag))
      repeated.set(flag, [...(repeated.get(flag) ?? []), value ?? raw[i]!])
  }
  let parsed: ParsedArgs
  try {
    parsed = parse([...raw], definition.args)
  } catch (error) {
    throw usageError(error instanceof Error ? error.message : String(error))
  }
  for (const [flag, values] of repeated) Object.assign(parsed, { [flag.slice(2)]: values.join(',') })
  const [stray] = parsed._
  if (stray !== undefined && !Object.values(definition.args).some(({ type }) => type === 'positional')) {
    throw usageError(
      `pipilo ${definition.name} takes no argument ${JSON.stringify(stray)}.`,
      `See pipilo ${definition.name} --help.`,
    )
  }
  return parsed
}

/** Resolves when the command is to stop. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    onAbort(signal, resolve)
  })

/** The help text of a command. */
export async function helpOf(definition: Command, parent: CommandDef): Promise<string> {
  const usage = await renderUsage(
    { meta: { name: definition.name, description: definition.description }, args: definition.args },
    parent,
  )
  const { list } = definition
  const width = Math.max(0, ...(list?.rows() ?? []).map(([name]) => name.length))
  const rows = list?.rows().map(([name, meaning]) => `  ${name.padEnd(width)}  ${meaning}`) ?? []
  const listed = list ? `\n${list.title}\n\n${rows.join('\n')}\n` : ''
  return `${usage.trimEnd()}\n\nEXAMPLES\n\n${definition.examples.map((line) => `  ${line}`).join('\n')}\n${listed}`
}

/** A whole number option, or the default. */
export function numberOption(value: string | undefined, name: string, minimum = 1): number | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  if (!Number.isInteger(number) || number < minimum) {
    throw usageError(`--${name} is a whole number of at least ${minimum}, not ${JSON.stringify(value)}.`)
  }
  return number
}
