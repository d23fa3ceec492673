#include "models/cli/pretrained.h"

#include <string.h>

#include "models/cli/messages.h"

static bool are_same_ids(const tg_ids *a, const tg_ids *b)
{
    bool same = a->count == b->count;
    for (int64_t i = 0; i < a->count && same; i++)
        same = strcmp(tg_ids_name(a, i), tg_ids_name(b, i)) == 0;
    return same;
}

static int check_part(const recommender *r, const recommender *part, const char *path,
                      const char *model)
{
    if (part->model != rating_model_find(model))
        say("%s: a model %s%s; expected %s without biases", path, part->model->name,
            part->model->has_biases ? " with biases" : "", model);
    else if (!are_same_ids(&r->users, &part->users) || !are_same_ids(&r->items, &part->items))
        say("%s: of other users or items than the data; expected one made for these data", path);
    else
        return EXIT_DONE;
    return EXIT_FAILED;
}

/* Copy the parameters that both have under one name, but for the last layer's. */
static int copy_layers(const tg_state_dict *to, const recommender *part, const char *path)
{
    tg_state_dict from = tg_module_state_dict(part->module);
    int status = EXIT_DONE;
    for (int64_t i = 0; i < from.count && status == EXIT_DONE; i++) {
        const char *name = from.entry[i].name;
        tg_tensor *own = tg_state_dict_get(to, name);
        if (strncmp(name, "predict_layer.", 14) == 0)
            continue;
        if (own && tg_shape_equal(&own->shape, &from.entry[i].tensor->shape)) {
            tg_copy(own, from.entry[i].tensor);
        } else {
            say("%s: %s has no counterpart of its shape; expected a model of the same --factors "
                "and --layers", path, name);
            status = EXIT_FAILED;
        }
    }
    tg_state_dict_release(&from);
    return status;
}

/* weight = [gmf; mlp] / 2, bias = their mean. */
static void join_last_layers(const tg_state_dict *to, const recommender *part[2])
{
    float *weight = tg_state_dict_get(to, "predict_layer.weight")->data;
    tg_tensor *bias = tg_state_dict_get(to, "predict_layer.bias");
    tg_fill(bias, 0);
    for (int p = 0; p < 2; p++) {
        tg_state_dict from = tg_module_state_dict(part[p]->module);
        const tg_tensor *w = tg_state_dict_get(&from, "predict_layer.weight"); /* (1, width) */
        const double b = tg_get(tg_state_dict_get(&from, "predict_layer.bias"), 0);
        for (int64_t i = 0; i < tg_numel(w); i++)
            *weight++ = ((const float *)w->data)[i] / 2;
        tg_set(bias, tg_get(bias, 0) + b / 2, 0);
        tg_state_dict_release(&from);
    }
}

int pretrained_start(recommender *r, const char *gmf_path, const char *mlp_path)
{
    recommender gmf = {0}, mlp = {0};
    int status = recommender_load(&gmf, gmf_path) == TG_OK &&
                 recommender_load(&mlp, mlp_path) == TG_OK ? EXIT_DONE : say_last_error();
    if (status == EXIT_DONE)
        status = check_part(r, &gmf, gmf_path, "gmf");
    if (status == EXIT_DONE)
        status = check_part(r, &mlp, mlp_path, "mlp");
    tg_state_dict to = tg_module_state_dict(r->module);
    if (status == EXIT_DONE)
        status = copy_layers(&to, &gmf, gmf_path);
    if (status == EXIT_DONE)
        status = copy_layers(&to, &mlp, mlp_path);
    if (status == EXIT_DONE)
        join_last_layers(&to, (const recommender *[]){&gmf, &mlp});
    tg_state_dict_release(&to);
    recommender_release(&gmf);
    recommender_release(&mlp);
    return status;
}
