/*
 * tapegrad.h: everything, from the ground up. Each header is the manual of its floor.
 */
#ifndef TAPEGRAD_H
#define TAPEGRAD_H

#define TG_VERSION "0.1.0"

#include "tensor/error.h"
#include "tensor/parallel.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

#include "autograd/autograd.h"
#include "autograd/gradcheck.h"
#include "autograd/ops.h"

#include "nn/init.h"
#include "nn/layers.h"
#include "nn/module.h"
#include "nn/npy.h"
#include "nn/safetensors.h"

#include "optim/optim.h"

#include "data/loader.h"
#include "data/ratings.h"
#include "data/synthetic.h"

#endif
