"""LightGCN (He et al. 2020) at the size of MovieLens 100K: 3 layers of 64, batch 2048."""
import torch
from torch import nn
from torch.nn import functional as F

from frame import BATCHES, adam, ids, init, update

USERS, ITEMS, EDGES, LAYERS, DIM, BATCH = 943, 1682, 80000, 3, 64, 2048
NODES = USERS + ITEMS


def graph():
    """D^-1/2 A D^-1/2 as a sparse matrix."""
    user, item = ids("edge user", USERS, EDGES), USERS + ids("edge item", ITEMS, EDGES)
    places = torch.stack((torch.cat((user, item)), torch.cat((item, user))))
    scale = torch.bincount(places[0], minlength=NODES).float().rsqrt()
    values = scale[places[0]] * scale[places[1]]
    return torch.sparse_coo_tensor(places, values, (NODES, NODES)).coalesce()


def make():
    model = init(nn.ModuleDict({"node": nn.Embedding(NODES, DIM)}))
    optimizer = adam(model.parameters(), lr=1e-3)
    adjacency = graph()
    user, positive, negative = (ids(name, rows, BATCHES, BATCH) for name, rows in
                                (("user", USERS), ("positive", ITEMS), ("negative", ITEMS)))

    def step(number, training):
        i = number % BATCHES
        layers = [model["node"].weight]
        for _ in range(LAYERS):
            layers.append(torch.sparse.mm(adjacency, layers[-1]))
        users, items = (sum(layers) / (LAYERS + 1)).split((USERS, ITEMS))
        u, yes, no = users[user[i]], items[positive[i]], items[negative[i]]
        return update(optimizer, -F.logsigmoid((u * yes).sum(-1) - (u * no).sum(-1)).mean())
    return step
