// Finds the parameters in what a checkpoint holds.
import { PipiloError } from '../../../base/index.ts'
import { TorchTensor } from './objects.ts'

/** Keys under which training scripts put the parameters, in the order of preference. */
const PLACES = ['state_dict', 'model_state_dict', 'model', 'teacher', 'net', 'network', 'module', 'weights']

/** Prefixes that wrappers put before every name. */
const PREFIXES = ['module.', '_orig_mod.']

/**
 * The named tensors of what a checkpoint holds: a dictionary of them, or one under a name such as `state_dict`.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED`, with the keys that are there
 */
export function stateDict(value: unknown, label: string): Map<string, TorchTensor> {
  let found = find(value, 0)
  if (!found) {
    const keys = value instanceof Map ? [...value.keys()].map(String) : []
    throw new PipiloError(
      'FORMAT_UNSUPPORTED',
      `${label} holds no dictionary of tensors${keys.length ? `: its keys are ${keys.slice(0, 20).join(', ')}` : ''}.`,
      { input: label, hint: 'Save the parameters with torch.save(model.state_dict(), path).' },
    )
  }
  for (let prefix = common(found); prefix !== undefined; prefix = common(found)) {
    found = new Map([...found].map(([name, tensor]) => [name.slice(prefix!.length), tensor]))
  }
  return found
}

function find(value: unknown, depth: number): Map<string, TorchTensor> | undefined {
  if (!(value instanceof Map) || depth > 3) return undefined
  const tensors = [...value].filter(
    (entry): entry is [string, TorchTensor] =>
      typeof entry[0] === 'string' && entry[1] instanceof TorchTensor,
  )
  if (tensors.length > 0) return new Map(tensors)
  for (const place of PLACES) {
    const inner = find(value.get(place), depth + 1)
    if (inner) return inner
  }
  return undefined
}

function common(tensors: ReadonlyMap<string, unknown>): string | undefined {
  return PREFIXES.find((prefix) => [...tensors.keys()].every((name) => name.startsWith(prefix)))
}
