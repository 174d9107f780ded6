// Finds the architecture and configuration of the network in a model's files.
import { PipiloError } from '../../base/index.ts'
import { isObject, type ModelFiles, readJsonObject } from '../files.ts'
import { findCheckpoint, tensorsInWords } from '../formats/checkpoint.ts'
import { type Architecture, findByName, findByType, knownNames } from './architectures.ts'
import type { FolderContents, ReadOptions } from './foundModel.ts'
import type { Modules } from './modules.ts'
import type { PublishedFile } from './publishedPreparation.ts'
import { timmArguments } from './timmArguments.ts'

type Config = Readonly<Record<string, unknown>>

/** A network's configuration, and where its files lie. */
export interface Network {
  /** Sub-folder, `''` or ending in a slash. */
  readonly path: string
  readonly modules: Modules | undefined
  /** Content of `config.json`; empty where there is none. */
  readonly stated: Config
  /** Configuration that the architecture is built with: transformers' own, or the differences from that of timm's name. */
  readonly config: Config
  /** Name of the architecture in the configuration. */
  readonly name: string
  /** Library that the name comes from. */
  readonly of: 'transformers' | 'timm'
  readonly architecture: Architecture | undefined
  /** The checkpoint's file, where it is called as published ones are. */
  readonly published?: PublishedFile
}

/**
 * Finds what a model's files hold: by the option `architecture`, by `config.json` of timm (`architecture`) or transformers
 * (`model_type`), or by the name under which torchvision and timm publish a checkpoint.
 *
 * @param file the checkpoint, where the source names it
 * @throws PipiloError `MODEL_INVALID` where nothing says what it is
 */
export async function findNetwork(
  files: ModelFiles,
  { modules, readTensors }: FolderContents,
  options: ReadOptions,
  file?: string,
): Promise<Network> {
  const path = modules?.network ?? ''
  const stated = (await files.has(`${path}config.json`))
    ? await readJsonObject(files, `${path}config.json`)
    : undefined
  const published = stated ? undefined : await publishedFile(files, file)
  const name = options.architecture ?? stated?.['architecture'] ?? published?.name
  if (typeof name === 'string') {
    const architecture = findByName(name)
    const config = isObject(stated) ? argumentsOf(files.label, stated, architecture) : {}
    const of = published && { published: { stem: published.stem, hash: published.hash } }
    return { path, modules, stated: stated ?? {}, config, name, of: 'timm', architecture, ...of }
  }
  if (!stated) {
    const found = file ?? (await findCheckpoint(files, await files.list('')))
    const held = found === undefined ? '' : ` ${tensorsInWords((await readTensors(found)).tensors)}.`
    throw new PipiloError(
      'MODEL_INVALID',
      `${files.label} has no ${path}config.json that says what it is.${held}`,
      {
        input: files.label,
        hint: `Name its architecture, as in open('resnet50.pth', { architecture: 'resnet50' })${held && '; pipilo inspect lists all tensors'}.`,
      },
    )
  }
  const type = String(stated['model_type'])
  return {
    path,
    modules,
    stated,
    config: stated,
    name: type,
    of: 'transformers',
    architecture: findByType(type),
  }
}

/** The settings of a network of timm's; one of Pipilo's own has them under its own names. */
function argumentsOf(label: string, stated: Config, architecture: Architecture | undefined): Config {
  if (!architecture?.isOwn) return timmArguments(label, stated)
  const { model_args: own } = stated
  return isObject(own) ? own : {}
}

/** DINO's networks by the names of its files. */
const dinos: Readonly<Record<string, string>> = {
  dino_deitsmall16: 'vit_small_patch16_224',
  dino_deitsmall8: 'vit_small_patch8_224',
  dino_vitbase16: 'vit_base_patch16_224',
  dino_vitbase8: 'vit_base_patch8_224',
  dino_resnet50: 'resnet50',
}

/**
 * The architecture of a checkpoint called as torchvision and timm publish it, `resnet50-0676ba61.pth` or
 * `mobilenetv2_100_ra-b33bc2c4.pth`: the longest known name that it begins with, before the first digits of its hash; or as
 * efficientnet_pytorch does, `efficientnet-b0-355c32eb.pth`, or Facebook DINO and DINOv2, `dinov2_vits14_reg4_pretrain.pth`.
 */
async function publishedFile(
  files: ModelFiles,
  file: string | undefined,
): Promise<(PublishedFile & { readonly name: string }) | undefined> {
  const names = file === undefined ? await files.list('') : [file]
  for (const name of names) {
    const [, stem, hash = ''] =
      /^(?:.*\/)?([\w-]+)(?:-([0-9a-f]{8})|_pretrain)\.(?:pth|pt|bin|safetensors|ckpt|pth\.tar)$/.exec(
        name,
      ) ?? []
    if (stem === undefined) continue
    // The package efficientnet_pytorch, whose networks pad as TensorFlow does.
    const efficient = /^efficientnet-((?:b|lite)\d)$/.exec(stem)?.[1]
    if (efficient !== undefined) return { name: `tf_efficientnet_${efficient}`, stem, hash }
    const dino = dinos[stem]
    if (dino !== undefined) return { name: dino, stem, hash }
    const known = knownNames()
      .filter((candidate) => stem === candidate || new RegExp(`^${candidate}[_-]`).test(stem))
      .sort((a, b) => b.length - a.length)
    if (known[0] !== undefined) return { name: known[0], stem, hash }
  }
  return undefined
}
