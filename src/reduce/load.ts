// Reads saved reducers of every kind.
import { PipiloError } from '../base/index.ts'
import { readReducer, type SavedReducer } from './files.ts'
import { type KernelPca, savedKernelPca } from './kernel/kernelPca.ts'
import { FittedLda } from './linear/lda.ts'
import { Linear, type LinearParts } from './linear/linearReducer.ts'
import { FittedPca } from './linear/pca.ts'
import { savedTsne, type Tsne } from './maps/tsne.ts'
import { savedUmap, type Umap } from './maps/umap.ts'
import type { Lda, LinearReducer, Pca } from './types.ts'

/** A reducer that was saved: its `kind` tells what it can do. */
export type LoadedReducer =
  | Pca
  | Lda
  | (LinearReducer & { readonly kind: 'whitening' | 'random-projection' })
  | KernelPca
  | Umap
  | Tsne

/** See `loadReducer` in onDemand.ts. */
export async function loadReducer(path: string): Promise<LoadedReducer> {
  const saved = await readReducer(path)
  switch (saved.kind) {
    case 'pca':
      return savedPca(saved)
    case 'lda':
      return savedLda(saved)
    case 'whitening':
    case 'random-projection':
      return new Linear(saved.kind, partsOf(saved))
    case 'kernel-pca':
      return savedKernelPca(saved)
    case 'umap':
      return savedUmap(saved)
    case 'tsne':
      return savedTsne(saved)
    default:
      throw new PipiloError('FORMAT_UNSUPPORTED', `${path} holds ${saved.kind}, which is not known.`, {
        input: path,
        hint: 'It may come from a newer Pipilo.',
      })
  }
}

function partsOf(saved: SavedReducer): LinearParts {
  const forward = saved.matrix('projection')
  return {
    mean: saved.vector('mean', forward.rows),
    forward,
    ...(saved.has('inverse') && { back: saved.matrix('inverse', forward.columns, forward.rows) }),
    skipped: saved.number('skipped'),
  }
}

function savedPca(saved: SavedReducer): Pca {
  const components = saved.matrix('components')
  return new FittedPca(components, {
    mean: saved.vector('mean', components.columns),
    whiten: saved.value('whiten') === true,
    skipped: saved.number('skipped'),
    variances: saved.vector('explainedVariance', components.rows),
    ratios: saved.vector('explainedVarianceRatio', components.rows),
  })
}

function savedLda(saved: SavedReducer): Lda {
  const parts = partsOf(saved)
  const classes = saved.value('classes')
  const isLabel = (label: unknown) => typeof label === 'string' || typeof label === 'number'
  if (!Array.isArray(classes) || !classes.every(isLabel)) {
    throw new PipiloError('FORMAT_INVALID', `The file ${saved.path} does not say its classes.`, {
      input: saved.path,
    })
  }
  return new FittedLda(parts, classes, saved.vector('explainedVarianceRatio', parts.forward.columns))
}
