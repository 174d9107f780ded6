// Reads folders of PEFT: a LoRA without the model that it was trained on.
import { PipiloError } from '../../base/index.ts'
import type { LoraAdapter } from '../../nn/index.ts'
import { type ModelFiles, readJsonObject } from '../files.ts'
import { readCheckpoint } from '../formats/checkpoint.ts'

export const ADAPTER_CONFIG = 'adapter_config.json'
export const ADAPTER_MODEL = 'adapter_model.safetensors'

/** Settings that would make other numbers of the same matrices; each is fine if it is absent, null, empty or as said here. */
const REFUSED: Readonly<Record<string, unknown>> = {
  bias: 'none',
  use_dora: false,
  fan_in_fan_out: false,
  modules_to_save: null,
  rank_pattern: null,
  alpha_pattern: null,
  lora_bias: false,
  layer_replication: null,
  trainable_token_indices: null,
  use_qalora: false,
  use_bdlora: false,
  alora_invocation_tokens: null,
  arrow_config: null,
  kasa_config: null,
  monteclora_config: null,
  velora_config: null,
  target_parameters: null,
}

/** Ways of drawing the first matrices that leave the model's own weights as they were. */
const DRAWN = new Set<unknown>([undefined, null, true, false, 'gaussian', 'orthogonal', 'eva'])

/** The LoRA in a folder: `adapter_config.json` and its tensors. */
export async function peftAdapter(files: ModelFiles): Promise<LoraAdapter> {
  const json = await readJsonObject(files, ADAPTER_CONFIG)
  const {
    peft_type,
    r,
    lora_alpha,
    lora_dropout = 0,
    use_rslora = false,
    base_model_name_or_path: base,
  } = json
  if (peft_type !== 'LORA') throw unsupported(files, 'peft_type', peft_type)
  for (const [name, fine] of Object.entries(REFUSED)) {
    if (!isFine(json[name], fine)) throw unsupported(files, name, json[name])
  }
  if (!DRAWN.has(json['init_lora_weights']))
    throw unsupported(files, 'init_lora_weights', json['init_lora_weights'])
  const number = (name: string, value: unknown): number => {
    if (typeof value === 'number') return value
    throw new PipiloError(
      'FORMAT_INVALID',
      `${name} in the ${ADAPTER_CONFIG} of ${files.label} is ${JSON.stringify(value)}, and not a number.`,
      { input: name },
    )
  }
  const path = (await files.has(ADAPTER_MODEL)) ? ADAPTER_MODEL : 'adapter_model.bin'
  const { tensors } = await readCheckpoint(files, path)
  return {
    config: {
      rank: number('r', r),
      alpha: number('lora_alpha', lora_alpha),
      dropout: number('lora_dropout', lora_dropout),
      rankStabilized: use_rslora === true,
    },
    tensors,
    ...(typeof base === 'string' ? { base } : {}),
  }
}

function isFine(value: unknown, fine: unknown): boolean {
  if (value === undefined || value === null || value === fine) return true
  return typeof value === 'object' && Object.keys(value).length === 0
}

function unsupported(files: ModelFiles, name: string, value: unknown): PipiloError {
  return new PipiloError(
    'FORMAT_UNSUPPORTED',
    `The adapter ${files.label} has ${name} ${JSON.stringify(value)}, which is not supported.`,
    { input: name, hint: 'Merge it into its model with PEFT, and open the result.' },
  )
}
