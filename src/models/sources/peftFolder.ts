// LoRA in folders of PEFT on a disk, or wherever models come from.
import { join } from 'node:path'
import { makeFolder, writeFileAtomic } from '../../base/files/index.ts'
import { PipiloError } from '../../base/index.ts'
import type { Graph } from '../../graph/index.ts'
import { type LoraAdapter, loraOf, loraParameters } from '../../nn/index.ts'
import { ADAPTER_CONFIG, ADAPTER_MODEL, peftAdapter } from '../layouts/peft.ts'
import type { RepositoryOptions } from './hub/repository.ts'
import { writeSafetensors } from './safetensorsFile.ts'
import { parseSource, resolveSource } from './sources.ts'

/** See `readLora` in ../onDemand.ts. */
export async function readLora(source: string, options: RepositoryOptions = {}): Promise<LoraAdapter> {
  const parsed = parseSource(source) ?? { kind: 'file', path: source }
  return peftAdapter(await resolveSource(parsed, options))
}

/** See `writeLora` in ../onDemand.ts. */
export async function writeLora(
  folder: string,
  graph: Graph,
  options: { readonly base?: string; readonly taskType?: string } = {},
): Promise<void> {
  const lora = loraOf(graph)
  if (!lora) throw new PipiloError('GRAPH_INVALID', 'The graph has no LoRA to write.', { input: graph.name })
  const tensors = new Map(
    loraParameters(graph).map((name) => {
      const tensor = graph.initializers.get(name)
      if (tensor) return [name, tensor] as const
      throw new PipiloError('PARAMETER_MISSING', `The graph holds no tensor ${name}.`, {
        input: name,
        hint: 'Put the trained tensors in as initializers first.',
      })
    }),
  )
  const config = {
    peft_type: 'LORA',
    task_type: options.taskType ?? 'FEATURE_EXTRACTION',
    base_model_name_or_path: options.base ?? null,
    r: lora.rank,
    lora_alpha: lora.alpha,
    lora_dropout: lora.dropout,
    use_rslora: lora.rankStabilized,
    // Whole names: ends of names may mean further layers.
    target_modules: lora.modules,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
  }
  await makeFolder(folder)
  await writeSafetensors(join(folder, ADAPTER_MODEL), tensors, new Map([['format', 'pt']]))
  await writeFileAtomic(join(folder, ADAPTER_CONFIG), `${JSON.stringify(config, null, 2)}\n`)
}
