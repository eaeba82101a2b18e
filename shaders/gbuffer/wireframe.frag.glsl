// Edges of one shell's triangles, in one colour.
uniform vec4 u_color;  // straight alpha

out vec4 o_color;

void main() {
    o_color = u_color;
}
