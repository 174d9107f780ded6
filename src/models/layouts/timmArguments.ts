// Translates timm's model arguments into configurations of the architectures here.
import { closest, PipiloError } from '../../base/index.ts'
import { isObject } from '../files.ts'

type Config = Readonly<Record<string, unknown>>

/** Arguments that change no number of a trained network, or are answered by its checkpoint. */
const harmless =
  /^(?:pretrained|scriptable|exportable|no_jit|num_classes|in_chans|img_size|weight_init|fix_init|zero_init_last|init_std|dynamic_img_(?:size|pad)|strict_img_size|always_partition|.*drop.*_rate|drop_block.*)$/

/** Characters of a name, which the pattern takes time for: timm's are far shorter. */
const LONGEST = 100

/** Arguments that the architectures in `nn/` take by the same name. */
const taken = new Set(
  (
    'patch_size embed_dim depth num_heads mlp_ratio qkv_bias qk_norm init_values class_token reg_tokens no_embed_class pre_norm ' +
    'final_norm fc_norm norm_eps scale_attn_norm scale_mlp_norm proj_bias distilled depths window_size pretrained_window_sizes ' +
    'extra_norm_period extra_norm_stage dims kernel_sizes stem_type conv_mlp use_grn ls_init_value head_norm_first head_hidden_size ' +
    'layers channels cardinality base_width stem_width replace_stem_pool block_reduce_first down_kernel_size avg_down inplanes ' +
    'growth_rate block_config stem_size fix_stem num_features pad_type channel_multiplier channel_divisor arch_def'
  ).split(' '),
)

/** Arguments whose name or words are others here. */
const renamed: Readonly<Record<string, (value: unknown) => Config | undefined>> = {
  act_layer: (value) => (typeof value === 'string' ? { act: value } : undefined),
  norm_layer: (value) => {
    const norm = norms[String(value).toLowerCase()]
    return norm === undefined ? undefined : { norm }
  },
  pos_embed: (value) =>
    value === 'learn'
      ? { pos_embed: true }
      : value === 'none' || value === ''
        ? { pos_embed: false }
        : undefined,
  global_pool: (value) =>
    ['token', 'avg', 'max', 'avgmax', 'map'].includes(String(value)) ? { global_pool: value } : undefined,
  output_stride: (value) => (value === 32 ? {} : undefined),
}

const norms: Readonly<Record<string, string>> = {
  layernorm: 'layer',
  layernorm2d: 'layer',
  rmsnorm: 'rms',
  batchnorm2d: 'batch',
  batchnorm: 'batch',
  groupnorm: 'group',
}

/**
 * Changes that a timm `config.json` makes to the architecture that it names: its `model_args`, and what timm takes from its
 * `pretrained_cfg`.
 *
 * @throws PipiloError `FORMAT_UNSUPPORTED` for an argument that is not known here, rather than other numbers
 */
export function timmArguments(label: string, config: Config): Config {
  const pretrained = isObject(config['pretrained_cfg']) ? config['pretrained_cfg'] : {}
  const stated = isObject(config['model_args']) ? config['model_args'] : {}
  const pooled = pretrained['global_pool']
  // As timm: the channels of `input_size`, unless the arguments say otherwise.
  const channels = stated['in_chans'] ?? [pretrained['input_size']].flat()[0] ?? 3
  const given = { ...(pooled === undefined ? {} : { global_pool: pooled }), ...stated }
  const changes: Record<string, unknown> =
    typeof channels === 'number' && channels !== 3 ? { in_chans: channels } : {}
  for (const [name, value] of Object.entries(given)) {
    if (value === null) continue
    if (taken.has(name)) changes[name] = value
    else if (Object.hasOwn(renamed, name)) {
      const change = renamed[name]!(value)
      if (!change) throw unknownArgument(label, name, value)
      Object.assign(changes, change)
    } else if (name.length > LONGEST || !harmless.test(name)) throw unknownArgument(label, name, value)
  }
  return changes
}

/** Height and width that `model_args` builds the network for. */
export function timmSize(config: Config): readonly [number, number] | undefined {
  const stated = isObject(config['model_args']) ? config['model_args']['img_size'] : undefined
  const [height, width = height] = [stated].flat()
  return typeof height === 'number' && typeof width === 'number' ? [height, width] : undefined
}

function unknownArgument(label: string, name: string, value: unknown): PipiloError {
  const near = closest(name, [...taken, ...Object.keys(renamed)])
  return new PipiloError(
    'FORMAT_UNSUPPORTED',
    `The model_args of ${label} (config.json) set ${name.slice(0, LONGEST)} to ${JSON.stringify(value)}, which is not known here.`,
    {
      input: label,
      hint: `${near.length ? `Closest: ${near.join(', ')}. ` : ''}Export it to ONNX and open that.`,
    },
  )
}
