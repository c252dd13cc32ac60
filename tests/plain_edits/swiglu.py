"""Lab 07: plain edits of the worked answers, each a mistake in the spelling of a learner."""

from wrong_answers import Edit

SWISH = "return x * torch.sigmoid(beta * x)"
GLU = "return torch.sigmoid(gate) * value"

GATE = "gate = swish(x @ w_gate.T)"
VALUE = "value = x @ w_up.T"
DOWN = "return (gate * value) @ w_down.T"

CUT = "hidden = int(2 * 4 * dim / 3)"
FACTOR = "hidden = int(multiplier * hidden)"
UP = "return multiple_of * ((hidden + multiple_of - 1) // multiple_of)"

W_GATE = "self.w_gate = nn.Linear(dim, hidden_dim, bias=False)"
W_UP = "self.w_up = nn.Linear(dim, hidden_dim, bias=False)"
W_DOWN = "self.w_down = nn.Linear(hidden_dim, dim, bias=False)"
FORWARD = "return swiglu(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)"

EDITS = {
    "swish": [
        Edit("beta is left out", (SWISH, "return x * torch.sigmoid(x)"), named=("ignores_beta",)),
        Edit(
            "beta is left out, with silu",
            (SWISH, "return nn.functional.silu(x)"),
            named=("ignores_beta",),
        ),
        Edit(
            "beta multiplies the result, not the gate's x",
            (SWISH, "return beta * x * torch.sigmoid(x)"),
            named=("beta_outside",),
        ),
        Edit(
            "beta multiplies both the x outside and the one in the gate",
            (SWISH, "return (beta * x) * torch.sigmoid(beta * x)"),
            named=("beta_everywhere",),
        ),
        Edit(
            "silu of beta x, which is beta times too large",
            (SWISH, "return nn.functional.silu(beta * x)"),
            named=("beta_everywhere",),
        ),
        Edit(
            "beta is added in the gate",
            (SWISH, "return x * torch.sigmoid(beta + x)"),
            named=("beta_added",),
        ),
        Edit(
            "divides by beta in the gate",
            (SWISH, "return x * torch.sigmoid(x / beta)"),
            named=("beta_as_temperature",),
        ),
        Edit(
            "beta is an exponent of the gate",
            (SWISH, "return x * torch.sigmoid(x) ** beta"),
            named=("beta_as_power",),
        ),
        Edit(
            "only the gate: x does not pass",
            (SWISH, "return torch.sigmoid(beta * x)"),
            named=("sigmoid_only",),
        ),
        Edit(
            "the gate is the wrong way round, with -x",
            (SWISH, "return x * torch.sigmoid(-beta * x)"),
            named=("wrong_sign",),
        ),
        Edit(
            "the gate is 1 - sigmoid",
            (SWISH, "return x * (1 - torch.sigmoid(beta * x))"),
            named=("wrong_sign",),
        ),
        Edit(
            "x is added to the gate",
            (SWISH, "return x + torch.sigmoid(beta * x)"),
            named=("adds_the_gate",),
        ),
        Edit(
            "the x before the gate is squared",
            (SWISH, "return x * x * torch.sigmoid(beta * x)"),
            named=("squared",),
        ),
        Edit(
            "the sign is lost",
            (SWISH, "return x.abs() * torch.sigmoid(beta * x)"),
            named=("sign_lost",),
        ),
        Edit(
            "negative numbers do not pass: ReLU", (SWISH, "return torch.relu(x)"), named=("relu",)
        ),
        Edit(
            "ReLU stands before the gate",
            (SWISH, "return torch.relu(x) * torch.sigmoid(beta * x)"),
            named=("relu_times_gate",),
        ),
        Edit(
            "tanh in place of the sigmoid",
            (SWISH, "return x * torch.tanh(beta * x)"),
            named=("tanh_gate",),
        ),
        Edit(
            "softmax in place of the sigmoid",
            (SWISH, "return x * torch.softmax(beta * x, dim=-1)"),
            named=("softmax",),
        ),
        Edit("GELU", (SWISH, "return nn.functional.gelu(x)"), named=("gelu",)),
        Edit(
            "a hard sigmoid in place of the sigmoid",
            (SWISH, "return x * nn.functional.hardsigmoid(beta * x)"),
            named=("hard_swish", "hard_sigmoid"),
        ),
        Edit(
            "the sigmoid written out, which overflows far on the left",
            (SWISH, "return x / (1 + torch.exp(-beta * x))"),
            named=("overflows_in_float16",),
        ),
        Edit(
            "the sigmoid written out with e^x, which overflows on the right",
            (SWISH, "return x * torch.exp(beta * x) / (1 + torch.exp(beta * x))"),
            named=("exp_overflows",),
        ),
        Edit(
            "the sigmoid written out, with the sign lost",
            (SWISH, "return x / (1 + torch.exp(beta * x))"),
            named=("wrong_sign",),
        ),
        Edit(
            "the sigmoid written out, in float32: the value is right, the slope far left is NaN",
            (
                SWISH,
                "wide = x.float()\n    return (wide / (1 + torch.exp(-beta * wide))).to(x.dtype)",
            ),
            named=("nan_gradient",),
        ),
        Edit(
            "returns float32 whatever came in",
            (SWISH, "return x.float() * torch.sigmoid(beta * x.float())"),
            named=("stays_float32",),
        ),
        Edit(
            "multiplies in place, which changes x",
            (SWISH, "gate = torch.sigmoid(beta * x)\n    x *= gate\n    return x"),
            named=("in_place",),
        ),
        Edit(
            "the gate has no gradient",
            (SWISH, "return x * torch.sigmoid(beta * x).detach()"),
            named=("gate_detached",),
        ),
    ],
    "glu": [
        Edit(
            "gate and value are swapped",
            (GLU, "return gate * torch.sigmoid(value)"),
            named=("swapped",),
        ),
        Edit("the gate is not bent", (GLU, "return gate * value"), named=("bilinear",)),
        Edit(
            "the value is bent as well",
            (GLU, "return torch.sigmoid(gate) * torch.sigmoid(value)"),
            named=("both_squeezed",),
        ),
        Edit(
            "the value is bent with tanh as well",
            (GLU, "return torch.sigmoid(gate) * torch.tanh(value)"),
            named=("tanh_value",),
        ),
        Edit(
            "adds where it should multiply",
            (GLU, "return torch.sigmoid(gate) + value"),
            named=("sum",),
        ),
        Edit(
            "the gate is swish: SwiGLU's",
            (GLU, "return gate * torch.sigmoid(gate) * value"),
            named=("swish_gate",),
        ),
        Edit(
            "swish with the value inside",
            (GLU, "return swish(gate) * value"),
            named=("swish_gate",),
        ),
        Edit(
            "the sigmoid is around the product",
            (GLU, "return torch.sigmoid(gate * value)"),
            named=("sigmoid_of_product",),
        ),
        Edit(
            "the gate is the wrong way round, with a minus",
            (GLU, "return torch.sigmoid(-gate) * value"),
            named=("inverted",),
        ),
        Edit(
            "the gate is the wrong way round, 1 - sigmoid",
            (GLU, "return (1 - torch.sigmoid(gate)) * value"),
            named=("inverted",),
        ),
        Edit(
            "tanh in place of the sigmoid",
            (GLU, "return torch.tanh(gate) * value"),
            named=("tanh_gate",),
        ),
        Edit(
            "softmax in place of the sigmoid",
            (GLU, "return torch.softmax(gate, dim=-1) * value"),
            named=("softmax_gate",),
        ),
        Edit(
            "ReLU in place of the sigmoid",
            (GLU, "return torch.relu(gate) * value"),
            named=("relu_gate",),
        ),
        Edit(
            "the gate is open or shut, nothing between",
            (GLU, "return (gate > 0) * value"),
            named=("switch",),
        ),
        Edit("only the gate", (GLU, "return torch.sigmoid(gate)"), named=("gate_only",)),
        Edit(
            "sums over the units",
            (GLU, "return (torch.sigmoid(gate) * value).sum(dim=-1)"),
            named=("summed",),
        ),
        Edit(
            "a matrix product in place of number by number",
            (GLU, "return torch.sigmoid(gate) @ value.T"),
            named=("matrix_product",),
        ),
        Edit(
            "F.glu with gate and value in the wrong order",
            (GLU, "return nn.functional.glu(torch.cat([gate, value], dim=-1), dim=-1)"),
            named=("swapped",),
        ),
        Edit(
            "the sigmoid written out, whose slope far left is NaN",
            (GLU, "return 1 / (1 + torch.exp(-gate)) * value"),
            named=("overflows_in_float16",),
        ),
        Edit(
            "returns float32 where half precision came in",
            (GLU, "return torch.sigmoid(gate.float()) * value"),
            named=("float32_for_half",),
        ),
        Edit(
            "changes gate in place",
            (GLU, "return gate.sigmoid_() * value"),
            named=("gate_in_place",),
        ),
        Edit(
            "changes value in place",
            (GLU, "value *= torch.sigmoid(gate)\n    return value"),
            named=("value_in_place",),
        ),
    ],
    "swiglu": [
        Edit(
            "w_gate and w_up are swapped: swish sits on the value",
            (GATE, "gate = x @ w_gate.T"),
            (VALUE, "value = swish(x @ w_up.T)"),
            named=("silu_on_up",),
        ),
        Edit(
            "w_gate and w_up are swapped, in the matrices",
            (GATE, "gate = swish(x @ w_up.T)"),
            (VALUE, "value = x @ w_gate.T"),
            named=("silu_on_up",),
        ),
        Edit(
            "both branches are bent", (VALUE, "value = swish(x @ w_up.T)"), named=("silu_on_both",)
        ),
        Edit(
            "swish is around the product",
            (GATE, "gate = x @ w_gate.T"),
            (DOWN, "return swish(gate * value) @ w_down.T"),
            named=("bracket",),
        ),
        Edit(
            "swish comes before the matrix",
            (GATE, "gate = swish(x) @ w_gate.T"),
            named=("silu_before",),
        ),
        Edit(
            "swish at the very end",
            (GATE, "gate = x @ w_gate.T"),
            (DOWN, "return swish((gate * value) @ w_down.T)"),
            named=("silu_after_down",),
        ),
        Edit("nothing is bent", (GATE, "gate = x @ w_gate.T"), named=("bilinear",)),
        Edit(
            "the sigmoid in place of swish: GLU's gate",
            (GATE, "gate = torch.sigmoid(x @ w_gate.T)"),
            named=("glu",),
        ),
        Edit(
            "glu in place of swish times value",
            (DOWN, "return glu(x @ w_gate.T, value) @ w_down.T"),
            named=("glu",),
        ),
        Edit(
            "glu on top of swish",
            (DOWN, "return glu(gate, value) @ w_down.T"),
            named=("glu_on_top",),
        ),
        Edit("ReLU in place of swish", (GATE, "gate = torch.relu(x @ w_gate.T)"), named=("reglu",)),
        Edit(
            "GELU in place of swish",
            (GATE, "gate = nn.functional.gelu(x @ w_gate.T)"),
            named=("geglu",),
        ),
        Edit("the value comes from w_gate", (VALUE, "value = x @ w_gate.T"), named=("gate_twice",)),
        Edit("the gate comes from w_up", (GATE, "gate = swish(x @ w_up.T)"), named=("up_twice",)),
        Edit("adds the branches", (DOWN, "return (gate + value) @ w_down.T"), named=("sum",)),
        Edit("the value is left out", (DOWN, "return gate @ w_down.T"), named=("no_up",)),
        Edit("the gate is left out", (DOWN, "return value @ w_down.T"), named=("no_gate",)),
        Edit("w_down is left out", (DOWN, "return gate * value"), named=("no_down",)),
        Edit(
            "the transpose of w_gate is forgotten",
            (GATE, "gate = swish(x @ w_gate)"),
            named=("gate_not_transposed",),
        ),
        Edit(
            "all transposes are forgotten",
            (GATE, "gate = swish(x @ w_gate)"),
            (VALUE, "value = x @ w_up"),
            (DOWN, "return (gate * value) @ w_down"),
            named=("no_transposes",),
        ),
        Edit(
            "the transpose of w_down is forgotten",
            (DOWN, "return (gate * value) @ w_down"),
            named=("down_not_transposed",),
        ),
        Edit(
            "adds x: the residual is inside",
            (DOWN, "return x + (gate * value) @ w_down.T"),
            named=("residual",),
        ),
        Edit("another beta", (GATE, "gate = swish(x @ w_gate.T, 1.702)"), named=("beta_1702",)),
        Edit(
            "the product of gate and value is a matrix product",
            (DOWN, "return (gate @ value.T) @ w_down.T"),
            named=("matrix_product",),
        ),
        Edit(
            "softmax over the gates",
            (GATE, "gate = torch.softmax(x @ w_gate.T, dim=-1)"),
            named=("softmax_gate",),
        ),
        Edit(
            "returns float32 whatever came in",
            (DOWN, "return (gate * value).float() @ w_down.float().T"),
            named=("float32",),
        ),
        Edit(
            "w_up has no gradient",
            (VALUE, "value = x @ w_up.detach().T"),
            named=("up_detached", "w_up_detached"),
        ),
        Edit(
            "the gate has no gradient",
            (DOWN, "return (gate.detach() * value) @ w_down.T"),
            named=("gate_detached",),
        ),
    ],
    "ffn_hidden_dim": [
        Edit(
            "two thirds are left out: four times dim",
            (CUT, "hidden = 4 * dim"),
            named=("four_dim",),
        ),
        Edit(
            "the 2 is left out: 4/3 of dim",
            (CUT, "hidden = int(4 * dim / 3)"),
            named=("two_forgotten",),
        ),
        Edit(
            "the 4 is left out: 2/3 of dim", (CUT, "hidden = int(2 * dim / 3)"), named=("no_four",)
        ),
        Edit("8 // 3 is 2", (CUT, "hidden = 8 // 3 * dim"), named=("divides_too_early",)),
        Edit("int(8 / 3) is 2", (CUT, "hidden = int(8 / 3) * dim"), named=("divides_too_early",)),
        Edit(
            "3/2 in place of 2/3", (CUT, "hidden = int(3 * 4 * dim / 2)"), named=("three_halves",)
        ),
        Edit(
            "rounds 8/3 dim, where it should cut",
            (CUT, "hidden = round(2 * 4 * dim / 3)"),
            named=("rounds_fractions",),
        ),
        Edit(
            "rounds 8/3 dim up, where it should cut",
            (CUT, "hidden = -(-2 * 4 * dim // 3)"),
            named=("ceil_fractions",),
        ),
        Edit(
            "the factor comes before the cut: one cut in place of two",
            (FACTOR, "hidden = int(multiplier * 2 * 4 * dim / 3)"),
            named=("cut_once",),
        ),
        Edit("the factor is left out", (FACTOR, "pass"), named=("ignores_multiplier",)),
        Edit(
            "the factor is cut to a whole number",
            (FACTOR, "hidden = int(multiplier) * hidden"),
            named=("multiplier_cut",),
        ),
        Edit(
            "the factor is added",
            (FACTOR, "hidden = int(multiplier + hidden)"),
            named=("multiplier_added",),
        ),
        Edit(
            "the factor replaces 8/3",
            (FACTOR, "hidden = int(multiplier * dim)"),
            named=("multiplier_instead_of_eight_thirds",),
        ),
        Edit(
            "the factor replaces 2/3",
            (FACTOR, "hidden = int(multiplier * 4 * dim)"),
            named=("multiplier_instead_of_two_thirds",),
        ),
        Edit(
            "after the factor it is rounded, where it should be cut",
            (FACTOR, "hidden = round(multiplier * hidden)"),
            named=("rounds_fractions",),
        ),
        Edit(
            "after the factor nothing is cut, and a float comes out",
            (FACTOR, "hidden = multiplier * hidden"),
            named=("returns_float", "cut_first_only"),
        ),
        Edit(
            "the factor comes after the multiple",
            (FACTOR, "pass"),
            (
                UP,
                "hidden = multiple_of * ((hidden + multiple_of - 1) // multiple_of)\n    return int(multiplier * hidden) if multiplier is not None else hidden",
            ),
            named=("multiplier_after_rounding",),
        ),
        Edit(
            "rounds down to a multiple",
            (UP, "return multiple_of * (hidden // multiple_of)"),
            named=("rounds_down",),
        ),
        Edit(
            "rounds to the nearest multiple",
            (UP, "return multiple_of * round(hidden / multiple_of)"),
            named=("rounds_to_nearest",),
        ),
        Edit(
            "a multiple goes up to the next one",
            (UP, "return multiple_of * (hidden // multiple_of + 1)"),
            named=("always_one_more",),
        ),
        Edit(
            "a multiple goes up to the next one, with hidden + multiple_of",
            ("hidden + multiple_of - 1", "hidden + multiple_of"),
            named=("always_one_more",),
        ),
        Edit(
            "one too little is added, so that some sizes go down",
            ("hidden + multiple_of - 1", "hidden + multiple_of - 2"),
            named=("one_too_little",),
        ),
        Edit(
            "/ in place of //: nothing is rounded",
            (") // multiple_of)", ") / multiple_of)"),
            named=("true_division",),
        ),
        Edit(
            "/ in place of //, cut to a whole number",
            (UP, "return int(multiple_of * ((hidden + multiple_of - 1) / multiple_of))"),
            named=("true_division",),
        ),
        Edit("no rounding at all", (UP, "return hidden"), named=("not_rounded_up",)),
        Edit(
            "the number of multiples, not the size",
            (UP, "return (hidden + multiple_of - 1) // multiple_of"),
            named=("count_of_multiples",),
        ),
        Edit(
            "multiples of 256 whatever was asked for",
            (UP, "return 256 * ((hidden + 255) // 256)"),
            named=("fixed_multiple",),
        ),
        Edit(
            "adds the rest, where it should fill up to the multiple",
            (UP, "return hidden + hidden % multiple_of"),
            named=("rest_added",),
        ),
        Edit(
            "a multiple gets another multiple, with - hidden % multiple_of",
            (UP, "return hidden + multiple_of - hidden % multiple_of"),
            named=("always_one_more",),
        ),
        Edit(
            "returns a text",
            (UP, 'return f"{multiple_of * ((hidden + multiple_of - 1) // multiple_of)}"'),
            named=("returns_text",),
        ),
        Edit(
            "returns a float",
            (UP, "return multiple_of * float((hidden + multiple_of - 1) // multiple_of)"),
            named=("returns_float",),
        ),
    ],
    "SwiGLU": [
        Edit(
            "w_gate has a bias",
            (W_GATE, "self.w_gate = nn.Linear(dim, hidden_dim)"),
            named=("with_bias",),
        ),
        Edit(
            "w_down has a bias",
            (W_DOWN, "self.w_down = nn.Linear(hidden_dim, dim)"),
            named=("with_bias",),
        ),
        Edit(
            "all three have biases",
            (W_GATE, "self.w_gate = nn.Linear(dim, hidden_dim)"),
            (W_UP, "self.w_up = nn.Linear(dim, hidden_dim)"),
            (W_DOWN, "self.w_down = nn.Linear(hidden_dim, dim)"),
            named=("with_bias",),
        ),
        Edit(
            "all three have biases, and forward uses them",
            (W_GATE, "self.w_gate = nn.Linear(dim, hidden_dim)"),
            (W_UP, "self.w_up = nn.Linear(dim, hidden_dim)"),
            (W_DOWN, "self.w_down = nn.Linear(hidden_dim, dim)"),
            (FORWARD, "return self.w_down(swish(self.w_gate(x)) * self.w_up(x))"),
            named=("with_bias",),
        ),
        Edit(
            "w_down has the shape of the others",
            (W_DOWN, "self.w_down = nn.Linear(dim, hidden_dim, bias=False)"),
            named=("wrong_sizes",),
        ),
        Edit(
            "w_up has w_down's shape",
            (W_UP, "self.w_up = nn.Linear(hidden_dim, dim, bias=False)"),
            named=("wrong_sizes",),
        ),
        Edit(
            "w_gate is (D, D)",
            (W_GATE, "self.w_gate = nn.Linear(dim, dim, bias=False)"),
            named=("wrong_sizes",),
        ),
        Edit(
            "w_up is w_gate: one matrix with two names",
            (W_UP, "self.w_up = self.w_gate"),
            named=("shared",),
        ),
        Edit(
            "w_up starts as w_gate's weight, and shares it",
            (W_UP, W_UP + "\n        self.w_up.weight = self.w_gate.weight"),
            named=("shared",),
        ),
        Edit(
            "the hidden size is computed again",
            (W_GATE, "hidden_dim = ffn_hidden_dim(hidden_dim)\n        " + W_GATE),
            named=("rule_again",),
        ),
        Edit(
            "two thirds of the hidden size are taken, which is final already",
            (W_GATE, "hidden_dim = int(2 * hidden_dim / 3)\n        " + W_GATE),
            named=("two_thirds_again",),
        ),
        Edit(
            "4 · dim in place of hidden_dim",
            (W_GATE, "hidden_dim = 4 * dim\n        " + W_GATE),
            named=("four_dim",),
        ),
        Edit(
            "Meta's names, w1, w3 and w2",
            (W_GATE, "self.w1 = nn.Linear(dim, hidden_dim, bias=False)"),
            (W_UP, "self.w3 = nn.Linear(dim, hidden_dim, bias=False)"),
            (W_DOWN, "self.w2 = nn.Linear(hidden_dim, dim, bias=False)"),
            (FORWARD, "return swiglu(x, self.w1.weight, self.w3.weight, self.w2.weight)"),
            named=("meta_names",),
        ),
        Edit(
            "parameters in place of nn.Linear",
            (W_GATE, "self.w_gate = nn.Parameter(torch.randn(hidden_dim, dim))"),
            (W_UP, "self.w_up = nn.Parameter(torch.randn(hidden_dim, dim))"),
            (W_DOWN, "self.w_down = nn.Parameter(torch.randn(dim, hidden_dim))"),
            (FORWARD, "return swiglu(x, self.w_gate, self.w_up, self.w_down)"),
            named=("bare_parameters",),
        ),
        Edit(
            "a plain list of layers, whose weights are not the module's",
            (W_GATE, "self.layers = [nn.Linear(dim, hidden_dim, bias=False)]"),
            (W_UP, "self.layers += [nn.Linear(dim, hidden_dim, bias=False)]"),
            (W_DOWN, "self.layers += [nn.Linear(hidden_dim, dim, bias=False)]"),
            (FORWARD, "return swiglu(x, *[layer.weight for layer in self.layers])"),
            named=("plain_list",),
        ),
        Edit(
            "forward has w_gate and w_up swapped",
            (FORWARD, "return swiglu(x, self.w_up.weight, self.w_gate.weight, self.w_down.weight)"),
            named=("silu_on_up",),
        ),
        Edit(
            "forward uses w_gate twice",
            (
                FORWARD,
                "return swiglu(x, self.w_gate.weight, self.w_gate.weight, self.w_down.weight)",
            ),
            named=("gate_twice",),
        ),
        Edit(
            "swish is around the product",
            (FORWARD, "return self.w_down(swish(self.w_gate(x) * self.w_up(x)))"),
            named=("bracket",),
        ),
        Edit(
            "both branches are bent",
            (FORWARD, "return self.w_down(swish(self.w_gate(x)) * swish(self.w_up(x)))"),
            named=("silu_on_both",),
        ),
        Edit(
            "the classic layer: w_up is not used",
            (FORWARD, "return self.w_down(swish(self.w_gate(x)))"),
            named=("no_up",),
        ),
        Edit(
            "ReLU in place of swish",
            (FORWARD, "return self.w_down(torch.relu(self.w_gate(x)) * self.w_up(x))"),
            named=("reglu",),
        ),
        Edit(
            "the sigmoid in place of swish",
            (FORWARD, "return self.w_down(glu(self.w_gate(x), self.w_up(x)))"),
            named=("glu",),
        ),
        Edit(
            "the transposed weights are handed on",
            (
                FORWARD,
                "return swiglu(x, self.w_gate.weight.T, self.w_up.weight.T, self.w_down.weight.T)",
            ),
            named=("no_transposes",),
        ),
        Edit(
            "the residual is inside",
            (
                FORWARD,
                "return x + swiglu(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight)",
            ),
            named=("residual",),
        ),
        Edit(
            "the weights get no gradient",
            (
                FORWARD,
                "return swiglu(x, self.w_gate.weight.data, self.w_up.weight.data, self.w_down.weight.data)",
            ),
            named=("weights_detached",),
        ),
        Edit(
            "each call makes a new w_down",
            (
                FORWARD,
                "down = nn.Linear(self.w_down.in_features, x.shape[-1], bias=False)\n        return swiglu(x, self.w_gate.weight, self.w_up.weight, down.weight)",
            ),
            named=("down_made_anew",),
        ),
        Edit(
            "dropout drops values",
            (
                FORWARD,
                "return nn.functional.dropout(swiglu(x, self.w_gate.weight, self.w_up.weight, self.w_down.weight), 0.1)",
            ),
            named=("dropout",),
        ),
    ],
}

PAIRS = {
    "swish": [
        Edit(
            "beta multiplies the result, not the gate's x; and changes x in place",
            (SWISH, "return x.mul_(torch.sigmoid(x)) * beta"),
            named=("beta_outside", "in_place"),
        ),
        Edit(
            "beta is left out; and returns float32 whatever came in",
            (SWISH, "return nn.functional.silu(x.float())"),
            named=("ignores_beta", "stays_float32"),
        ),
    ],
    "swiglu": [
        Edit(
            "swish sits on the value, and GELU took its place",
            (GATE, "gate = x @ w_gate.T"),
            (VALUE, "value = nn.functional.gelu(x @ w_up.T)"),
            named=("gelu_on_up",),
        ),
        Edit(
            "adds the branches; and the sigmoid took the place of swish",
            (GATE, "gate = torch.sigmoid(x @ w_gate.T)"),
            (DOWN, "return (gate + value) @ w_down.T"),
            named=("sum", "glu"),
        ),
        Edit(
            "w_gate and w_up are swapped; and returns float32 whatever came in",
            (GATE, "gate = swish(x @ w_up.T)"),
            (VALUE, "value = x @ w_gate.T"),
            (DOWN, "return ((gate * value) @ w_down.T).float()"),
            named=("silu_on_up", "float32"),
        ),
        Edit(
            "swish is around the product; and w_down is left out",
            (GATE, "gate = x @ w_gate.T"),
            (DOWN, "return swish(gate * value)"),
            named=("bracket", "no_down"),
        ),
    ],
    "ffn_hidden_dim": [
        Edit(
            "two thirds are left out; and rounds down to a multiple",
            (CUT, "hidden = 4 * dim"),
            (UP, "return multiple_of * (hidden // multiple_of)"),
            named=("four_dim", "rounds_down"),
        ),
        Edit(
            "the factor is left out; and a multiple goes up to the next one",
            (FACTOR, "pass"),
            (UP, "return multiple_of * (hidden // multiple_of + 1)"),
            named=("ignores_multiplier", "always_one_more"),
        ),
        Edit(
            "rounds 8/3 dim, where it should cut; and rounds to the nearest multiple",
            (CUT, "hidden = round(2 * 4 * dim / 3)"),
            (UP, "return multiple_of * round(hidden / multiple_of)"),
            named=("rounds_fractions", "rounds_to_nearest"),
        ),
    ],
    "SwiGLU": [
        Edit(
            "w_down has a bias; and forward has w_gate and w_up swapped",
            (W_DOWN, "self.w_down = nn.Linear(hidden_dim, dim)"),
            (FORWARD, "return swiglu(x, self.w_up.weight, self.w_gate.weight, self.w_down.weight)"),
            named=("with_bias", "silu_on_up"),
        ),
        Edit(
            "w_up is w_gate; and swish is around the product",
            (W_UP, "self.w_up = self.w_gate"),
            (FORWARD, "return self.w_down(swish(self.w_gate(x) * self.w_up(x)))"),
            named=("shared", "bracket"),
        ),
        Edit(
            "all three have biases; and the hidden size is 4 · dim",
            (W_GATE, "hidden_dim = 4 * dim\n        self.w_gate = nn.Linear(dim, hidden_dim)"),
            (W_UP, "self.w_up = nn.Linear(dim, hidden_dim)"),
            (W_DOWN, "self.w_down = nn.Linear(hidden_dim, dim)"),
            named=("with_bias", "four_dim"),
        ),
        Edit(
            "the weights get no gradient; and both branches are bent",
            (
                FORWARD,
                "down = self.w_down.weight.data\n        return (swish(x @ self.w_gate.weight.data.T) * swish(x @ self.w_up.weight.data.T)) @ down.T",
            ),
            named=("weights_detached", "silu_on_both"),
        ),
    ],
}
