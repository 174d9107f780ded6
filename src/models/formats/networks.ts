// Tells the networks of a checkpoint apart, where it holds more than one.
import { PipiloError } from '../../base/index.ts'

/** Two names under which a method of training keeps its networks, the one that its own code evaluates first. */
interface Convention {
  readonly chosen: RegExp
  readonly aside: RegExp
  readonly method: string
  /** A tensor that only this method has, where the two names alone could be anything. */
  readonly mark?: RegExp
}

const conventions: readonly Convention[] = [
  { chosen: /\bencoder_q\b/, aside: /\bencoder_k\b/, method: 'MoCo' },
  { chosen: /\bbase_encoder\b/, aside: /\bmomentum_encoder\b/, method: 'MoCo' },
  // In distillation of knowledge the teacher is another model, and the student the one that was trained.
  {
    chosen: /\bteacher\b/,
    aside: /\bstudent\b/,
    method: 'DINO',
    mark: /(?:head\.last_layer\.weight|dino_loss)/,
  },
]

/**
 * The network that a method's own code evaluates, of the two that it trains together.
 *
 * @param networks names of the networks: keys or prefixes
 * @param tensors names of all tensors around them
 */
export function conventional(
  networks: readonly string[],
  tensors: Iterable<string>,
): { readonly name: string; readonly method: string } | undefined {
  const [first, second, ...others] = networks
  if (first === undefined || second === undefined || others.length > 0) return undefined
  for (const [name, other] of [
    [first, second],
    [second, first],
  ] as const) {
    const found = conventions.find(
      ({ chosen, aside, mark }) =>
        chosen.test(name) && aside.test(other) && (!mark || [...tensors].some((each) => mark.test(each))),
    )
    if (found) return { name, method: found.method }
  }
  return undefined
}

/** The card's words on a choice among networks. */
export function chosenNote(name: string, by: string, others: readonly string[]): string {
  const dotted = [name, ...others].map((each) => `${each.replace(/\.$/, '')}.`)
  return `Weights are those of ${dotted[0]}, as ${by} takes them; the checkpoint also holds ${dotted.slice(1).join(', ').slice(0, 200)}: the option prefix chooses.`
}

/** The error of a checkpoint that holds several networks, of which none is the one. */
export function severalNetworks(label: string, networks: readonly string[]): PipiloError {
  const names = networks.map((name) => `${name.replace(/\.$/, '')}.`)
  return new PipiloError(
    'MODEL_INVALID',
    `${label} holds ${names.length} networks (${names.join(', ').slice(0, 300)}), and nothing says which one is meant.`,
    {
      input: label,
      hint: `Choose one, as in { prefix: '${names[0]}' }, on the command line --prefix ${names[0]}`,
    },
  )
}

/**
 * The tensors whose names begin with a prefix, without it. Names before the prefix, such as that of the dictionary that all are in, may be left
 * out where they are the same for all.
 *
 * @throws PipiloError `OPTION_INVALID` where there are none, or several such networks
 */
export function behindPrefix<T>(
  tensors: ReadonlyMap<string, T>,
  prefix: string,
  label: string,
): ReadonlyMap<string, T> {
  const wanted = prefix.endsWith('.') ? prefix : `${prefix}.`
  const leads = new Map<string, [string, T][]>()
  for (const [name, tensor] of tensors) {
    const at = `.${name}`.indexOf(`.${wanted}`)
    if (at < 0) continue
    const lead = name.slice(0, at)
    const found = leads.get(lead) ?? []
    found.push([name.slice(at + wanted.length), tensor])
    leads.set(lead, found)
  }
  const found = leads.get('') ?? (leads.size === 1 ? [...leads.values()][0]! : undefined)
  if (found) return new Map(found)
  const heads = [...new Set([...tensors.keys()].map((name) => name.split('.').slice(0, 2).join('.')))]
  throw new PipiloError(
    'OPTION_INVALID',
    leads.size > 1
      ? `${label} holds ${wanted} behind ${[...leads.keys()].slice(0, 8).join(', ')}.`
      : `${label} holds no tensors whose names begin with ${wanted}`,
    {
      input: 'prefix',
      hint: `Names begin with ${heads.slice(0, 8).join(', ')}${heads.length > 8 ? ', …' : ''}.`,
    },
  )
}
