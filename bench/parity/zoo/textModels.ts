/** Builds what `textModels.py` asks for, one request a line, and answers how far its numbers are from the reference. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { resolveLayer, tap } from '../../../src/graph/index.ts'
import { readSafetensors } from '../../../src/models/index.ts'
import { architecture } from '../../../src/nn/index.ts'
import { textPresets } from '../../../src/nn/text/textPresets.ts'
import { evaluate } from '../../../src/runtime/index.ts'
import type { Tensor } from '../../../src/tensor/index.ts'
import { answerLines, compareAll, expectAllUsed, readTensor, withoutNumbers } from './compare.ts'

/** The configurations that have names, a case in a folder, or a named configuration's tensors. */
type Request =
  | { readonly presets: true }
  | { readonly folder: string }
  | { readonly preset: keyof typeof textPresets; readonly shapes: Readonly<Record<string, number[]>> }

const EXPECTED = 'expected.'
/** A tensor of each checkpoint that no architecture knows. */
const UNKNOWN = 'cls.predictions.decoder.bias'

async function compareCase(folder: string) {
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  const { tensors } = await readSafetensors(join(folder, 'model.safetensors'))
  const built = architecture(config.model_type, 'transformers').build(config, tensors)
  if (!built.unused.includes(UNKNOWN)) throw new Error(`${UNKNOWN} was used`)
  expectAllUsed({ unused: built.unused.filter((name) => name !== UNKNOWN) })
  const [hidden, attentions] = [built.hiddenStates!, built.attentions!]
  const given = (await readSafetensors(join(folder, 'case.safetensors'))).tensors
  const graph = tap(built.graph, ...hidden, ...attentions)
  const feeds = Object.fromEntries(graph.inputs.map(({ name }) => [name, readTensor(given.get(name)!)]))
  const outputs = await evaluate(graph, feeds)
  const expected = new Map<string, Tensor>()
  for (const [name, tensor] of given) {
    if (name.startsWith(EXPECTED)) expected.set(name.slice(EXPECTED.length), readTensor(tensor))
  }
  const count = (what: string) => [...expected.keys()].filter((name) => name.startsWith(`${what}.`)).length
  if (count('hidden_states') !== hidden.length || count('attentions') !== attentions.length) {
    throw new Error(`lists ${hidden} and ${attentions}`)
  }
  return compareAll(expected, (name) => {
    const [what, index] = name.split('.') as [string, string?]
    const list = what === 'hidden_states' ? hidden : attentions
    return outputs[index === undefined ? what : resolveLayer(graph, list[Number(index)]!)]!
  })
}

await answerLines((request: Request) => {
  if ('presets' in request) return textPresets
  if ('folder' in request) return compareCase(request.folder)
  const preset = textPresets[request.preset]
  expectAllUsed(architecture(preset.model_type, 'transformers').build(preset, withoutNumbers(request.shapes)))
  return {}
})
