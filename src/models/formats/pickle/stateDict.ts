// Finds the parameters in what a checkpoint holds.
import { PipiloError } from '../../../base/index.ts'
import { isUnreadTensor, TorchTensor } from './objects.ts'
import { Opaque } from './unpickle.ts'

/** Parameters of a checkpoint, and the keys under which they were. */
export interface StateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>
  /** `state_dict`, `model_ema.module`, …; empty where the whole file is the dictionary. */
  readonly place: string
}

/** Keys of averaged weights, which timm takes before all others. */
const AVERAGED = ['state_dict_ema', 'model_ema']

/** Keys under which training scripts put the parameters, in the order of preference. */
const PLACES = [
  ...AVERAGED,
  ...['state_dict', 'model_state_dict', 'model', 'teacher', 'net', 'network', 'module', 'weights'],
]

/** Keys of what is no network, however many tensors it holds. */
const ASIDES = /optim|sched|scaler|rng|random|loss|metric|history|callback|loop|amp|grad|moment|buffer/i

const DEEPEST = 3

/**
 * The named tensors of what a checkpoint holds: a dictionary of them, or the one under a name such as `state_dict`, also where loose
 * tensors stand beside it (a loss, a step). Averaged weights come first, in timm's order.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED`, with the keys that are there
 */
export function stateDict(value: unknown, label: string): StateDict {
  const seen: Seen = Array.from({ length: DEEPEST + 1 }, () => new Map())
  const found = find(value, label, seen, 0)
  if (!found) throw none(value, label)
  for (const [name, entry] of found.whole) {
    if (isUnreadTensor(name, entry)) {
      throw new PipiloError(
        'FORMAT_UNSUPPORTED',
        `${label} holds ${name} as ${entry.name}, a kind of tensor that is not read here.`,
        { input: label, hint: 'Save the parameters as plain tensors: torch.save(model.state_dict(), path).' },
      )
    }
  }
  return { tensors: found.tensors, place: found.place.join('.') }
}

interface Candidate {
  readonly tensors: ReadonlyMap<string, TorchTensor>
  /** The dictionary that the tensors stand in. */
  readonly whole: readonly [string, unknown][]
  readonly place: readonly string[]
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
  const tensors = new Map(
    whole.filter((entry): entry is [string, TorchTensor] => entry[1] instanceof TorchTensor),
  )
  const inside = (key: string): Candidate | undefined => {
    const found = find(value.get(key), label, seen, depth + 1)
    return found && { ...found, place: [key, ...found.place] }
  }
  const known = placed(value, label, inside)
  // A loss or a step beside the parameters has a plain name, or is one of few.
  const isLoose = ![...tensors.keys()].some((name) => name.includes('.'))
  if (known && (isLoose || known.tensors.size >= tensors.size)) return known
  const others = known
    ? []
    : whole.flatMap(([key]) => (PLACES.includes(key) || ASIDES.test(key) ? [] : (inside(key) ?? [])))
  if (others.length === 1 && others[0]!.tensors.size > tensors.size) return others[0]
  return tensors.size > 0 ? { tensors, whole, place: [] } : undefined
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
      { input: label, hint: 'Save the one that is meant alone: torch.save(checkpoint[key], path).' },
    )
  }
  const what = value instanceof Opaque ? `: it is ${value.name.slice(0, 200)}` : ''
  return new PipiloError(
    'FORMAT_UNSUPPORTED',
    `${label} holds no dictionary of tensors${keys.length ? `: its keys are ${keys.join(', ')}` : what}.`,
    { input: label, hint: 'Save the parameters with torch.save(model.state_dict(), path).' },
  )
}
