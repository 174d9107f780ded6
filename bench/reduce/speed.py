"""Peer of speed.ts: reads the name of a work a line, and prints its seconds as JSON."""
import json, sys, time, warnings
warnings.filterwarnings('ignore')
import numpy as np
from sklearn.decomposition import PCA, KernelPCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.manifold import TSNE, trustworthiness
import umap

vectors = np.load(sys.argv[1])
labels = np.arange(len(vectors)) % 10
works = {
    'pca': lambda: PCA(64).fit(vectors) and None,
    'pca all': lambda: PCA().fit(vectors) and None,
    'lda': lambda: LinearDiscriminantAnalysis().fit(vectors, labels) and None,
    'kernel pca': lambda: KernelPCA(16, kernel='rbf', gamma=1).fit(vectors[::4]) and None,
    'umap': lambda: umap.UMAP().fit_transform(vectors),
    'tsne': lambda: TSNE(n_jobs=-1).fit_transform(vectors),
}
for line in sys.stdin:
    start, before = time.perf_counter(), time.process_time()
    found = works[line.strip()]()
    result = {'wall': time.perf_counter() - start, 'cpu': time.process_time() - before}
    if found is not None:
        result['trust'] = float(trustworthiness(vectors[::5], found[::5], n_neighbors=10))
    print(json.dumps(result), flush=True)
