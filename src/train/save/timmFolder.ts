/** Writes a network of pictures as a folder of timm's layout. */
import { join } from 'node:path'
import { makeFolder, writeFileAtomic } from '../../base/files/index.ts'
import { writeSafetensors } from '../../models/index.ts'
import type { Tensor } from '../../tensor/index.ts'
import type { NetworkImage } from '../objective.ts'

/** A network of pictures that is to be written. */
export interface TimmFolder {
  /** Name of the architecture. */
  readonly name: string
  /** Differences from its own configuration, under timm's names. */
  readonly config: Readonly<Record<string, unknown>>
  readonly image: NetworkImage
  readonly weights: ReadonlyMap<string, Tensor>
}

/**
 * Writes `config.json` and `model.safetensors` as timm's `save_for_hf` does: `open(folder)` reads them, and so does
 * `timm.create_model('local-dir:<folder>')`, where timm has the architecture: LeNet, the small ResNets for CIFAR and the autoencoders are not its.
 *
 * @throws `WRITE_FAILED`
 * @see https://huggingface.co/docs/timm/hf_hub
 */
export async function writeTimmFolder(
  folder: string,
  { name, config, image, weights }: TimmFolder,
): Promise<void> {
  const { num_classes, ...changes } = config
  const perChannel = (given: readonly number[] | undefined, usual: number) =>
    given ?? Array.from({ length: image.channels }, () => usual)
  const content = {
    architecture: name,
    ...(num_classes === undefined ? {} : { num_classes }),
    ...(Object.keys(changes).length > 0 && { model_args: changes }),
    pretrained_cfg: {
      input_size: [image.channels, ...image.size],
      mean: perChannel(image.mean, 0),
      std: perChannel(image.std, 1),
      interpolation: 'bilinear',
      crop_pct: 1,
      crop_mode: 'center',
      ...(num_classes === undefined ? {} : { num_classes }),
    },
  }
  await makeFolder(folder)
  // The weights first: a folder without a configuration is no model yet.
  await writeSafetensors(join(folder, 'model.safetensors'), weights, new Map([['format', 'pt']]))
  await writeFileAtomic(join(folder, 'config.json'), `${JSON.stringify(content, null, 2)}\n`)
}
