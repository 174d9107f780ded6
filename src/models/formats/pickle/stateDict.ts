// Finds the parameters in what a checkpoint holds.
import { PipiloError } from '../../../base/index.ts'
import { behindPrefix, chosenNote, conventional, severalNetworks } from '../networks.ts'
import { isUnreadTensor, TorchTensor } from './objects.ts'
import { Opaque } from './unpickle.ts'

/** Parameters of a checkpoint, and the keys under which they were. */
export interface StateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>
  /** `state_dict`, `model_ema.module`, …; empty where the whole file is the dictionary. */
  readonly place: string
  /** A choice that was made among networks, in a sentence. */
  readonly note?: string
}

/** Keys of averaged weights, which timm takes before all others. */
const AVERAGED = ['state_dict_ema', 'model_ema']

/** Keys under which training scripts put the parameters, in the order of preference. */
const PLACES = [
  ...AVERAGED,
  ...['state_dict', 'model', 'model_state_dict', 'teacher', 'net', 'network', 'module', 'weights'],
]

/** Those under which timm looks. */
const TIMMS = PLACES.slice(0, 4)

/** Keys of what is no network, however many tensors it holds. */
const ASIDES = /optim|sched|scaler|rng|random|loss|metric|history|callback|loop|amp|grad|moment|buffer/i

const DEEPEST = 3

/** Entries of dictionaries that are looked through for a prefix; a file may name one dictionary again and again. */
const MOST_ENTRIES = 1 << 18

/**
 * The named tensors of what a checkpoint holds: a dictionary of them, or the one under a name such as `state_dict`, also where loose
 * tensors stand beside it (a loss, a step). Averaged weights come first, in timm's order. Of several networks it is the one that timm takes, or the
 * one that the method of training itself evaluates.
 *
 * @param prefix keys, and the beginning of names in what they lead to, joined by points: the caller's choice
 * @throws PipiloError `FORMAT_UNSUPPORTED`, with the keys that are there; `MODEL_INVALID` for several networks; `OPTION_INVALID` for a prefix that
 *   nothing has
 */
export function stateDict(value: unknown, label: string, prefix?: string): StateDict {
  if (prefix !== undefined) {
    const all = new Map<string, unknown>()
    collect(value, '', all, 0)
    return readable({ whole: [...behindPrefix(all, prefix, label)], place: [] }, label)
  }
  const seen: Seen = Array.from({ length: DEEPEST + 1 }, () => new Map())
  const found = find(value, label, seen, 0)
  if (!found) throw none(value, label)
  if (found.unclear) throw severalNetworks(label, found.unclear)
  return readable(found, label)
}

/** All tensors in dictionaries, by the keys that lead to them. */
function collect(value: unknown, path: string, into: Map<string, unknown>, depth: number): void {
  if (!(value instanceof Map)) return
  for (const [key, entry] of value) {
    if (typeof key !== 'string' || into.size >= MOST_ENTRIES) continue
    const name = path + key
    if (entry instanceof TorchTensor || isUnreadTensor(name, entry)) into.set(name, entry)
    else if (depth < DEEPEST && (depth > 0 || !ASIDES.test(key))) collect(entry, `${name}.`, into, depth + 1)
  }
}

function readable({ whole, place, note }: Omit<Candidate, 'tensors'>, label: string): StateDict {
  for (const [name, entry] of whole) {
    if (isUnreadTensor(name, entry)) {
      throw new PipiloError(
        'FORMAT_UNSUPPORTED',
        `${label} holds ${name} as ${entry.name}, a kind of tensor that is not read here.`,
        { input: label, hint: 'Save the parameters as plain tensors: torch.save(model.state_dict(), path).' },
      )
    }
  }
  return { tensors: tensorsOf(whole), place: place.join('.'), ...(note !== undefined && { note }) }
}

function tensorsOf(whole: readonly [string, unknown][]): Map<string, TorchTensor> {
  return new Map(whole.filter((entry): entry is [string, TorchTensor] => entry[1] instanceof TorchTensor))
}

interface Candidate {
  readonly tensors: ReadonlyMap<string, TorchTensor>
  /** The dictionary that the tensors stand in. */
  readonly whole: readonly [string, unknown][]
  readonly place: readonly string[]
  readonly note?: string
  /** Keys of several networks of which none is known to be the one. */
  readonly unclear?: readonly string[]
}

/** Dictionaries that were looked into, by depth: however often a file names one, it is looked into once. */
type Seen = readonly Map<unknown, Candidate | undefined>[]

function find(value: unknown, label: string, seen: Seen, depth: number): Candidate | undefined {
  const known = seen[depth]
  if (!(value instanceof Map) || !known) return undefined
  if (!known.has(value)) {
    known.set(value, undefined)
    known.set(value, look(value, label, seen, depth))
  }
  return known.get(value)
}

function look(
  value: ReadonlyMap<unknown, unknown>,
  label: string,
  seen: Seen,
  depth: number,
): Candidate | undefined {
  const whole = [...value].filter((entry): entry is [string, unknown] => typeof entry[0] === 'string')
  const tensors = tensorsOf(whole)
  const inside = (key: string): Candidate | undefined => {
    const found = find(value.get(key), label, seen, depth + 1)
    return found && { ...found, place: [key, ...found.place] }
  }
  const taken = placed(value, label, inside)
  const rivals = taken && rivalsOf(taken, whole, inside)
  const known = taken && rivals && rivals.length > 0 ? decided(taken, rivals) : taken
  // A loss or a step beside the parameters has a plain name, or is one of few.
  const isLoose = ![...tensors.keys()].some((name) => name.includes('.'))
  if (known && (isLoose || known.tensors.size >= tensors.size)) return known
  const others = known
    ? []
    : whole.flatMap(([key]) => (PLACES.includes(key) || ASIDES.test(key) ? [] : (inside(key) ?? [])))
  if (others.length === 1 && others[0]!.tensors.size > tensors.size) return others[0]
  return tensors.size > 0 ? { tensors, whole, place: [] } : undefined
}

/** Other networks beside the one that was taken: about as many tensors, or the same names, and other numbers. */
function rivalsOf(
  { tensors, place: [key] }: Candidate,
  whole: readonly [string, unknown][],
  inside: (key: string) => Candidate | undefined,
): Candidate[] {
  if (AVERAGED.includes(key!)) return []
  return whole.flatMap(([other]) => {
    const found = other === key || ASIDES.test(other) ? undefined : inside(other)
    if (!found) return []
    const names = [...found.tensors.keys()]
    const same = names.filter((name) => tensors.has(name))
    const isLarge = names.length >= 8 && names.length >= 0.1 * tensors.size
    if (!isLarge && same.length <= 0.5 * names.length) return []
    const isSame =
      same.length === names.length &&
      same.every((name) => isOne(tensors.get(name)!, found.tensors.get(name)!))
    return isSame ? [] : [found]
  })
}

/** True of two views of the same numbers. */
function isOne(a: TorchTensor, b: TorchTensor): boolean {
  return a.storage.key === b.storage.key && a.offset === b.offset && `${a.shape}` === `${b.shape}`
}

/** The candidate with what is said of its choice, or with the networks among which none can be made. */
function decided(taken: Candidate, rivals: readonly Candidate[]): Candidate {
  const [key, ...others] = [taken, ...rivals].map(({ place }) => place[0]!)
  const names = [...taken.tensors.keys(), ...rivals.flatMap(({ tensors }) => [...tensors.keys()])]
  const method = conventional([key!, ...others], names)
  const by = TIMMS.includes(key!) ? 'timm' : method?.name === key ? method?.method : undefined
  if (by === undefined) return { ...taken, unclear: [key!, ...others] }
  return { ...taken, note: chosenNote(key!, by, others) }
}

/** The dictionary under one of the usual keys. */
function placed(
  value: ReadonlyMap<unknown, unknown>,
  label: string,
  inside: (key: string) => Candidate | undefined,
): Candidate | undefined {
  for (const key of PLACES) {
    const found = inside(key)
    if (found) return found
    const there = value.get(key)
    if (AVERAGED.includes(key) && there instanceof Opaque) {
      throw new PipiloError(
        'FORMAT_UNSUPPORTED',
        `${label} keeps its averaged weights (${key}) as ${there.name}, which is not read here.`,
        { input: label, hint: `Save them alone: torch.save(checkpoint['${key}'].state_dict(), path).` },
      )
    }
  }
  return undefined
}

function isDictionary(value: unknown): boolean {
  return value instanceof Map && [...value.values()].some((each) => each instanceof TorchTensor)
}

function none(value: unknown, label: string): PipiloError {
  const entries = value instanceof Map ? [...value].slice(0, 20) : []
  const keys = entries.map(([key, entry]) => {
    const name =
      typeof key === 'string' || typeof key === 'number' ? `${key}`.slice(0, 100) : 'one that is no text'
    return entry instanceof Opaque ? `${name} (${entry.name.slice(0, 100)})` : name
  })
  const several = entries.flatMap(([key, entry]) =>
    typeof key === 'string' && isDictionary(entry) ? [key] : [],
  )
  if (several.length > 1) {
    return new PipiloError(
      'FORMAT_UNSUPPORTED',
      `${label} holds ${several.length} dictionaries of tensors, ${several.join(', ').slice(0, 200)}, and it is not clear which one is meant.`,
      {
        input: label,
        hint: `Choose one, as in { prefix: '${several[0]!.slice(0, 100)}.' }, on the command line --prefix; or save it alone: torch.save(checkpoint[key], path).`,
      },
    )
  }
  const what = value instanceof Opaque ? `: it is ${value.name.slice(0, 200)}` : ''
  return new PipiloError(
    'FORMAT_UNSUPPORTED',
    `${label} holds no dictionary of tensors${keys.length ? `: its keys are ${keys.join(', ')}` : what}.`,
    { input: label, hint: 'Save the parameters with torch.save(model.state_dict(), path).' },
  )
}
